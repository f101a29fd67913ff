"""A zero byte ends every string of the kernel: what has one is refused before all else."""

from __future__ import annotations

from typing import Any

import pytest

from minidocker.containers.check import check_spec
from minidocker.containers.spec import ContainerSpec, Mount
from minidocker.errors import InvalidParameter


@pytest.mark.parametrize(
    "how",
    [
        {"command": ("a\0b",)},
        {"entrypoint": ("a\0b",)},
        {"environment": ("A=b\0c",)},
        {"working_dir": "/a\0"},
        {"user": "a\0"},
        {"hostname": "a\0"},
        {"mounts": (Mount("bind", "/a\0", "/b", create_source=True),)},
        {"mounts": (Mount("tmpfs", "", "/b\0"),)},
    ],
)
def test_a_zero_byte_is_refused(how: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameter, match="zero byte"):
        check_spec(ContainerSpec(**how))
