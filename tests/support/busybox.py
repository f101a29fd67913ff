"""The image of the tests: one layer, made of the host's static busybox.

Its names are the smallest that the questions need: a root, a user ``app`` in a
group of its own and one more, so that ``-u app`` has something to look up.
"""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

from tests.support.need import need_program

NAME = "busybox:latest"
NOTHING: Mapping[str, str] = {}

ETC = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\n",
    "etc/group": "root:x:0:\nwheel:x:10:root,app\napp:x:1000:\nextra:x:2000:app\n",
    "etc/not-a-program": "text\n",
    "etc/no-interpreter": "#!/no/such/interpreter\n",
}
FOLDERS = ("bin", "dev", "etc", "home", "home/app", "proc", "root", "sys", "tmp", "var")
CONFIG = {
    "Cmd": ["sh"],
    "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
}


def layer(more: Mapping[str, str] = NOTHING) -> bytes:
    """The layer as a tar, the same bytes every time.  ``more``: path -> text of further files,
    or of other contents."""
    busybox = need_program("busybox")
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        parents = {str(Path(name).parent) for name in more}
        for name in (*FOLDERS, *sorted(parents.difference(FOLDERS))):
            add(tar, name, kind=tarfile.DIRTYPE, mode=0o1777 if name == "tmp" else 0o755)
        add(tar, "bin/busybox", Path(busybox).read_bytes(), mode=0o755)
        for applet in sorted(set(applets.stdout.split()) - {"busybox"}):
            add(tar, f"bin/{applet}", kind=tarfile.SYMTYPE, target="busybox")
        for name, text in {**ETC, **more}.items():
            add(tar, name, text.encode(), mode=0o755 if "interpreter" in name else 0o644)
    return buffer.getvalue()


def add(
    tar: tarfile.TarFile,
    name: str,
    data: bytes = b"",
    *,
    kind: bytes = tarfile.REGTYPE,
    mode: int = 0o644,
    target: str = "",
) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.size, info.linkname = kind, mode, len(data), target
    tar.addfile(info, io.BytesIO(data))


def archive(path: Path, image: str = NAME, more: Mapping[str, str] = NOTHING) -> Path:
    """Write the image to ``path`` in the form of ``docker save``: ``docker load`` takes it,
    and so does skopeo as ``docker-archive:``.  ``image``: its name; ``more`` as for ``layer``."""
    tar = layer(more)
    diff_id = "sha256:" + hashlib.sha256(tar).hexdigest()
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": CONFIG,
            "rootfs": {"type": "layers", "diff_ids": [diff_id]},
            "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "busybox --list"}],
        }
    ).encode()
    name = hashlib.sha256(config).hexdigest() + ".json"
    manifest = [{"Config": name, "RepoTags": [image], "Layers": ["layer.tar"]}]
    with tarfile.open(path, "w") as out:
        add(out, name, config)
        add(out, "layer.tar", tar)
        add(out, "manifest.json", json.dumps(manifest).encode())
    return path
