"""minidocker/base: the image that is there before any network is.

Made on first use from the host's own tools: a static busybox where there is
one, else ``sh`` and the coreutils with the shared libraries they need.  It is
made deterministically, so that the same tools give the same digest everywhere
and every time: sorted entries, one fixed time, an uncompressed tar.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from minidocker.errors import NotFound
from minidocker.images.elf import parse_elf, shared_libraries
from minidocker.images.store import Image, ImageStore
from minidocker.oci.descriptor import Descriptor
from minidocker.oci.digest import digest_of
from minidocker.oci.image_config import History, ImageConfig, RunDefaults
from minidocker.oci.manifest import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, Manifest
from minidocker.oci.platform import host_platform
from minidocker.oci.reference import Reference, parse_reference

BASE = "minidocker/base:latest"
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

PASSWD = """\
root:x:0:0:root:/root:/bin/sh
user:x:1000:1000:user:/home/user:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/bin/false
"""
GROUP = "root:x:0:\ntty:x:5:\nuser:x:1000:\nnobody:x:65534:\n"

# What a shell script expects to find, from coreutils and around it.
TOOLS = """
[ arch base32 base64 basename cat chgrp chmod chown cksum comm cp csplit cut date dd df dir
dirname du echo env expand expr factor false fmt fold groups head hostid hostname id install
join kill link ln logname ls md5sum mkdir mkfifo mknod mktemp mv nice nl nohup nproc numfmt od
paste pathchk pr printenv printf ps pwd readlink realpath rm rmdir seq sha1sum sha256sum
sha512sum shred shuf sleep sort split stat stdbuf stty sum sync tac tail tee test timeout touch
tr true truncate tsort tty uname unexpand uniq unlink users wc who whoami yes grep sed find mount
"""


def is_base(reference: Reference) -> bool:
    """Whether the name means this image: who misses it makes it, instead of pulling it."""
    return reference == parse_reference(BASE)


def make_base_image(store: ImageStore) -> Image:
    """Make the image from the host's tools, and store it under its name.

    Raises ``NotFound`` when the host has no such tools.
    """
    tar = tar_of(base_tree())
    config = base_config(digest_of(tar))
    manifest = Manifest(
        OCI_MANIFEST,
        Descriptor(OCI_CONFIG, digest_of(config.to_bytes()), len(config.to_bytes())),
        (Descriptor(OCI_LAYER, digest_of(tar), len(tar)),),
    )
    try:
        store.blobs.put(config.to_bytes())
        store.blobs.put(tar)
        store.layers.ensure(config.diff_ids, 0, lambda: store.blobs.open(config.diff_ids[0]))
        return store.add_manifest(manifest.to_bytes(), [parse_reference(BASE)])
    finally:  # of a failure, nothing is left
        store.sweep((manifest.config.digest, manifest.layers[0].digest), config.diff_ids)


def base_config(diff_id: str) -> ImageConfig:
    """The config over the one layer: a shell, and a time that is always the same."""
    host = host_platform()
    return ImageConfig(
        architecture=host.architecture,
        os=host.os,
        variant=host.variant,
        created="1970-01-01T00:00:00Z",
        diff_ids=(diff_id,),
        config=RunDefaults(cmd=("sh",), env=(PATH,)),
        history=(History(created="1970-01-01T00:00:00Z", created_by="the tools of the host"),),
    )


@dataclass(frozen=True)
class Entry:
    """One file of the image.  ``content``: bytes of a file, a str for a link's target,
    None for a directory."""

    content: bytes | str | None
    mode: int = 0o755
    owner: int = 0


Tree = dict[str, Entry]  # by path without the leading slash


def base_tree(search: str | None = None) -> Tree:
    """The files of the image.  ``search``: a PATH to look for tools (the usual one, and sbin).

    Raises ``NotFound`` on a host without a static busybox and without ``sh``.
    """
    search = search or os.environ.get("PATH", "") + ":/usr/sbin:/usr/bin:/sbin:/bin"
    tree = skeleton()
    busybox = static_busybox(search)
    tools = busybox_tools(busybox) if busybox else host_tools(search)
    for path in tools:  # the directories that the tools stand in
        for parent in list(Path(path).parents)[:-1]:
            tree.setdefault(str(parent), Entry(None))
    return tree | tools


def skeleton() -> Tree:
    """Directories, and who is who."""
    folders = ("bin", "dev", "etc", "home", "mnt", "proc", "run", "sys", "usr", "usr/bin", "var")
    return {
        **{folder: Entry(None) for folder in folders},
        "root": Entry(None, 0o700),
        "tmp": Entry(None, 0o1777),
        "var/tmp": Entry(None, 0o1777),
        "home/user": Entry(None, 0o755, owner=1000),
        "etc/passwd": Entry(PASSWD.encode(), 0o644),
        "etc/group": Entry(GROUP.encode(), 0o644),
    }


def static_busybox(search: str) -> Path | None:
    """The host's busybox, if it needs neither loader nor libraries."""
    for name in ("busybox", "busybox-static", "busybox.static"):
        if found := shutil.which(name, path=search):
            elf = parse_elf(Path(found).read_bytes())
            if elf is not None and elf.interpreter is None and not elf.needed:
                return Path(found)
    return None


def busybox_tools(busybox: Path) -> Tree:
    """One program under the names of all its applets, which it lists itself."""
    listed = subprocess.run(
        [busybox, "--list"], capture_output=True, text=True, check=True, timeout=10
    )
    applets = sorted({line.strip() for line in listed.stdout.splitlines()} - {"busybox", ""})
    return {
        "bin/busybox": Entry(busybox.read_bytes()),
        **{f"bin/{applet}": Entry("busybox") for applet in applets},
        "usr/bin/env": Entry("../../bin/busybox" if "env" in applets else "../../bin/env"),
    }


def host_tools(search: str) -> Tree:
    """``sh`` and the coreutils that the host has, with loader and libraries.

    The libraries all stand beside the C library, in a directory that its
    loader searches without being told.
    """
    shell = shutil.which("sh", path=search)
    if shell is None:
        raise NotFound("minidocker/base cannot be made: this host has neither busybox nor sh")
    found = {"sh": shell} | {
        name: path
        for name in TOOLS.split()
        if (path := shutil.which(name, path=search)) is not None
    }
    elves = {name: elf for name, path in found.items() if (elf := parse_elf(_bytes(path)))}
    if "sh" not in elves:
        raise NotFound(f"minidocker/base cannot be made: {shell} is no ELF program")
    programs = [Path(found[name]).resolve() for name in sorted(elves)]
    libraries = shared_libraries(programs, library_directories(), parse_elf)
    tree = {f"bin/{name}": Entry(_bytes(found[name])) for name in sorted(elves)}
    tree["usr/bin/env"] = Entry("../../bin/env")
    libc = next((path for name, path in libraries.items() if name.startswith("libc.")), None)
    for name, library in sorted(libraries.items()):
        tree[f"{(libc or library).parent}/{name}".lstrip("/")] = Entry(_bytes(library))
    for loader in {elf.interpreter for elf in elves.values() if elf.interpreter}:
        tree[loader.lstrip("/")] = Entry(_bytes(loader))
    return tree


def library_directories() -> list[Path]:
    """Where the host's loader looks: its built-in places and those of /etc/ld.so.conf."""
    machine = os.uname().machine
    usual = [f"/lib/{machine}-linux-gnu", f"/usr/lib/{machine}-linux-gnu"]
    usual += ["/lib64", "/usr/lib64", "/lib", "/usr/lib"]
    configured = []
    for file in sorted(Path("/etc").glob("ld.so.conf.d/*.conf")):
        configured += [line for line in file.read_text().split() if line.startswith("/")]
    return [Path(each) for each in (*usual, *configured)]


def tar_of(tree: Tree, modified: int = 0) -> bytes:
    """The tree as a layer: the same tree gives the same bytes.  ``modified``: seconds."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, entry in sorted(tree.items()):
            info = tarfile.TarInfo(path)
            info.mtime, info.mode = modified, entry.mode
            info.uid = info.gid = entry.owner
            if isinstance(entry.content, bytes):
                info.size = len(entry.content)
                tar.addfile(info, io.BytesIO(entry.content))
            else:
                link = isinstance(entry.content, str)
                info.type = tarfile.SYMTYPE if link else tarfile.DIRTYPE
                info.mode = 0o777 if link else entry.mode
                info.linkname = entry.content or ""
                tar.addfile(info)
    return buffer.getvalue()


def _bytes(path: str | Path) -> bytes:
    return Path(path).read_bytes()
