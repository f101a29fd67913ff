"""What a container is made of, and what its start would do."""

from __future__ import annotations

from minidocker.containers.container import Container
from minidocker.containers.core import Core
from minidocker.containers.files import hostname_of, share_files, write_files
from minidocker.containers.merge import command_line
from minidocker.containers.modes import Modes
from minidocker.containers.names import new_id
from minidocker.containers.settle import Settled
from minidocker.containers.start import plan
from minidocker.images.store import Image
from minidocker.layers.snapshot import Snapshot


def make_files(core: Core, container: Container, modes: Modes) -> None:
    """Its directory: the layer it writes to, and the files that the engine writes."""
    directory = core.places.directory(container.id)
    core.snapshots.prepare(container.id, container.diff_ids)
    partner = modes.joined.get("network")
    if partner is not None:
        share_files(directory, core.places.directory(partner))
        return
    name = hostname_of(container.spec, modes, container.short_id, core.host.name)
    gateway = core.networking.host_gateway()
    write_files(directory, container.spec, modes, name, core.host.files, gateway=gateway)


def dry_run(core: Core, settled: Settled, image: Image) -> list[dict[str, str]]:
    """The steps of a start, and nothing is made: {"process", "text", "chapter"} each."""
    id, diff_ids = new_id(), image.config.diff_ids
    container = Container(
        id=id,
        name="",
        spec=settled.spec,
        image_id=image.id,
        diff_ids=diff_ids,
        args=command_line(settled.spec),
    )
    home = core.places.directory(id)
    lower = tuple(str(each) for each in core.snapshots.layers.lower_dirs(diff_ids))
    snapshot = Snapshot((f"{home}/init", *lower), f"{home}/upper", f"{home}/work")
    return [
        {"process": process, "text": step.describe(), "chapter": step.chapter}
        for process, step in plan(core, container, snapshot)
    ]
