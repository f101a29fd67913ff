"""A copy of the Python interpreter that nobody can write to, not even root.

Until ``execve`` a container's first process is our Python inside the
container's namespaces.  A hostile image can get hold of it through
/proc/self/exe and write to the file on the host (CVE-2019-5736).  So the
launcher runs from a sealed copy in memory: what could be reached is no file of
the host, and a seal cannot be taken off (memfd_create(2), fcntl(2)).
"""

from __future__ import annotations

import os

from minidocker.linux import flags

SEALS = flags.F_SEAL_SEAL | flags.F_SEAL_SHRINK | flags.F_SEAL_GROW | flags.F_SEAL_WRITE


def sealed_copy(executable: str) -> int:
    """A descriptor of a sealed, executable copy of the file ``executable``."""
    import fcntl

    how = flags.MFD_CLOEXEC | flags.MFD_ALLOW_SEALING
    try:
        fd = os.memfd_create("minidocker", how | flags.MFD_EXEC)
    except OSError:  # EINVAL: older than Linux 6.3, where each one is executable
        fd = os.memfd_create("minidocker", how)
    with open(executable, "rb") as source:
        size = os.fstat(source.fileno()).st_size
        while size > 0:
            sent = os.sendfile(fd, source.fileno(), None, size)
            if sent == 0:
                break
            size -= sent
    os.fchmod(fd, 0o555)
    fcntl.fcntl(fd, flags.F_ADD_SEALS, SEALS)
    return fd
