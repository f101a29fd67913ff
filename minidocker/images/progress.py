"""What a pull or a load says while it works: values, in Docker's own words.

The pull calls ``tell(Progress(...))``; who listens (the daemon turns each into
a JSON message, a test into a list) is not its business.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

PULLING_LAYER = "Pulling fs layer"
WAITING = "Waiting"
DOWNLOADING = "Downloading"
VERIFYING = "Verifying Checksum"
DOWNLOADED = "Download complete"
EXTRACTING = "Extracting"
PULLED = "Pull complete"
EXISTS = "Already exists"
LOADING = "Loading layer"


@dataclass(frozen=True)
class Progress:
    """One line of news.

    ``id``: a layer's short digest, or the tag being pulled, or "" for the whole.
    ``current``, ``total``: bytes, when the line is one with a bar; else None.
    """

    id: str
    status: str
    current: int | None = None
    total: int | None = None


Tell = Callable[[Progress], None]


class Meter:
    """Reports a growing number of bytes, but not each of ten thousand chunks.

    A line is told when a hundredth of the total (and at least 64 KiB) came
    since the last one, and at the end.
    """

    def __init__(self, tell: Tell, id: str, status: str, total: int) -> None:
        self._tell = tell
        self._id = id
        self._status = status
        self._total = total
        self._stride = max(total // 100, 1 << 16)
        self._told = -self._stride

    def at(self, current: int) -> None:
        """``current`` bytes of the total are done."""
        if current < self._told or current - self._told >= self._stride or current == self._total:
            self._told = current
            self._tell(Progress(self._id, self._status, current, self._total))
