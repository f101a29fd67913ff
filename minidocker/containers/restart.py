"""When a container that ended is started again.  Pure: times in, decisions out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from minidocker.containers.spec import RestartPolicy

# Docker's back-off (moby restartmanager/restartmanager.go), in seconds.
FIRST_DELAY: Final = 0.1
LONGEST_DELAY: Final = 60.0
STEADY: Final = 10.0  # a run of this length counts as healthy: the back-off begins anew


@dataclass(frozen=True)
class Ended:
    """One end of a run.  ``lasted``: seconds."""

    exit_code: int
    lasted: float
    stopped_by_user: bool = False


def should_restart(policy: RestartPolicy, ended: Ended, restart_count: int) -> bool:
    """Whether the policy starts it again; ``restart_count``: how often it has already."""
    if ended.stopped_by_user:
        return False
    if policy.name == "on-failure":
        limit = policy.maximum_retries
        return ended.exit_code != 0 and (limit == 0 or restart_count < limit)
    return policy.name in ("always", "unless-stopped")


def should_start_with_daemon(
    policy: RestartPolicy, exit_code: int, stopped_by_user: bool, restart_count: int
) -> bool:
    """The same question when the daemon starts and finds it ended.

    Only here "always" and "unless-stopped" differ: the former forgets that the user
    stopped it.
    """
    if policy.name == "always":
        return True
    return should_restart(policy, Ended(exit_code, 0, stopped_by_user), restart_count)


def next_delay(previous: float, lasted: float) -> float:
    """Seconds to wait before the next start; ``previous``: the last such wait, 0 at first.

    Doubles from 100 ms up to a minute.
    """
    if previous == 0 or lasted >= STEADY:
        return FIRST_DELAY
    return min(2 * previous, LONGEST_DELAY)
