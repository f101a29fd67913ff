"""Sessions of requests about logs: every option, alone and with others, also wrong."""

from __future__ import annotations

from typing import Any

from tests.oracle.asked import Asked, get
from tests.oracle.inspecting import WAIT, do, make

# Slowly, so that the two streams come in this order.
SAYS = (
    "sh",
    "-c",
    "for i in 1 2 3 4 5; do echo out $i; sleep 0.1; echo err $i >&2; sleep 0.1; done",
)
LONG = (
    "sh",
    "-c",
    "head -c 40000 /dev/zero | tr '\\\\0' x; echo; printf 'a\\\\r\\\\nb\\\\tc\\\\377\\\\0d'",
)


def logs(query: str) -> Asked:
    return get(f"/containers/$IT/logs?{query}")


def said(*command: str, **how: Any) -> tuple[Asked, ...]:
    """A container that has said it."""
    return (make(*command, **how), do("start"), WAIT)


BOTH = "stdout=1&stderr=1"
FUTURE, PAST = "99999999999", "1000000000"

LOGGING: dict[str, tuple[Asked, ...]] = {
    "logs: options": (
        *said(*SAYS),
        *(
            logs(query)
            for query in ("", "stdout=0", "stdout=1", "stderr=1", BOTH, f"{BOTH}&follow=1")
        ),
        *(
            logs(f"{BOTH}&tail={tail}")
            for tail in ("0", "1", "3", "99", "-1", "all", "x", "1.5", "")
        ),
        *(logs(f"stdout=1&tail={tail}") for tail in ("0", "1", "3")),
        *(logs(f"{BOTH}&follow=1&tail={tail}") for tail in ("0", "1")),
        *(
            logs(f"{BOTH}&since={since}")
            for since in (*("0", "-1", PAST, f"{PAST}.5", FUTURE, f"{FUTURE}.123456789", ""),)
        ),
        *(logs(f"{BOTH}&since={since}") for since in ("x", "1h", "2001-01-01T00:00:00Z", "1.x")),
        *(
            logs(f"{BOTH}&until={until}")
            for until in ("0", "-1", PAST, f"{PAST}.5", FUTURE, "x", "")
        ),
        logs(f"{BOTH}&since={PAST}&until={FUTURE}&tail=2"),
        logs(f"{BOTH}&since={FUTURE}&until={PAST}"),
        logs(f"{BOTH}&follow=1&until={PAST}"),
        logs(f"{BOTH}&follow=1&since={FUTURE}"),
        logs(f"{BOTH}&timestamps=1&tail=2"),
        logs(f"{BOTH}&details=1&tail=2"),
        logs(f"{BOTH}&details=1&timestamps=1&tail=1"),
    ),
    "logs: of a terminal": (
        *said(*SAYS, Tty=True),
        logs(BOTH),
        logs("stderr=1"),
        logs("stdout=1&tail=2&timestamps=1"),
    ),
    "logs: odd lines": (
        *said(*LONG),
        logs("stdout=1&tail=1"),
        logs("stdout=1&tail=2&timestamps=1"),
        logs("stdout=1"),
    ),
    "logs: of what never said anything": (
        *said("true"),
        *(logs(f"{BOTH}{more}") for more in ("", "&follow=1", "&tail=5", "&since=5&timestamps=1")),
    ),
    "logs: what lines carry": (
        *said(
            *SAYS,
            Env=["A=1", "B=x y,z"],
            Labels={"k": "v", "l": "é"},
            host={
                "LogConfig": {
                    "Type": "json-file",
                    "Config": {
                        "labels": "k,nope",
                        "labels-regex": "^l",
                        "env": "B",
                        "env-regex": "^A$",
                        "tag": "{{.Name}}/{{.ImageName}}/{{.DaemonName}}",
                    },
                }
            },
        ),
        logs("stdout=1&details=1&tail=1"),
        logs("stdout=1&details=1&timestamps=1&tail=1"),
        logs("stdout=1&tail=1"),
    ),
    "logs: of the driver local": (
        *said(*SAYS, host={"LogConfig": {"Type": "local", "Config": {"max-size": "1m"}}}),
        logs(BOTH),
        logs("stdout=1&tail=1"),
        logs(f"{BOTH}&tail=3&details=1"),
        logs(f"{BOTH}&follow=1"),
    ),
    "logs: written aside": (
        *said(*SAYS, host={"LogConfig": {"Type": "json-file", "Config": {"mode": "non-blocking"}}}),
        logs("stdout=1"),
        logs("stderr=1"),
    ),
}
