"""Everything that can go wrong and has a name.

One tree; a class is a kind of mistake, and carries the HTTP status with which
the daemon answers it.  The message is one sentence: what, which thing, why,
and what to do.

    MinidockerError              500
    ├── InvalidParameter         400   the request makes no sense
    │   └── Refused              400   it makes sense, and this engine does not do it
    ├── Unauthorized             401   a registry wants (other) credentials
    ├── Forbidden                403
    ├── NotFound                 404   no such image, container, exec, ...
    ├── Conflict                 409   the object is in another state, or the name is taken
    ├── NotModified              304   it is already so
    ├── SystemFailure            500   the kernel said no
    │   └── StartFailed          400   the container's first program could not be run
    ├── Unimplemented            501   this kind of object does not do that
    └── Unavailable              503   a registry or the daemon cannot be reached
"""

from __future__ import annotations


class MinidockerError(Exception):
    """The root of all errors that this engine raises on purpose.

    ``status`` is the HTTP status of the answer (Engine API: an object with
    the one key ``message``).
    """

    status = 500

    @property
    def message(self) -> str:
        return str(self)


class InvalidParameter(MinidockerError):
    status = 400


class Refused(InvalidParameter):
    """A flag or field that Docker has and this engine does not honour (yet).

    Named, never silently dropped.
    """


class Unauthorized(MinidockerError):
    status = 401


class Forbidden(MinidockerError):
    status = 403


class NotFound(MinidockerError):
    status = 404


class Conflict(MinidockerError):
    status = 409


class NotModified(MinidockerError):
    status = 304


class SystemFailure(MinidockerError):
    status = 500


class StartFailed(SystemFailure):
    """The container could not be started.

    ``exit_code`` is what a shell would say: 127 when the program is not
    there, 126 when it is and cannot be run, 125 for everything else.
    The status is 400 for the first two (the request named a bad program),
    500 otherwise, as dockerd's.
    """

    def __init__(self, message: str, exit_code: int = 125) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.status = 400 if exit_code in (126, 127) else 500


class Unimplemented(MinidockerError):
    status = 501


class Unavailable(MinidockerError):
    status = 503
