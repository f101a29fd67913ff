"""Names and IDs of containers, and finding a container by part of one."""

from __future__ import annotations

import random
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from minidocker.errors import Conflict, InvalidParameter, NotFound

NAME_CHARACTERS: Final = "[a-zA-Z0-9][a-zA-Z0-9_.-]"  # as Docker's message spells it
_NAME: Final = re.compile(NAME_CHARACTERS + "+")
_ID: Final = re.compile("[0-9a-f]{64}")
_PREFIX: Final = re.compile("[0-9a-f]{1,64}")

_MANNER_WORDS: Final = (
    "able airy amber ample awake bold brave brisk bright calm candid cheery civil clear clever "
    "cosy crisp curious dapper deft eager early earnest easy fair famous fine fleet fond frank "
    "fresh gentle glad golden grand happy hardy honest humble jolly keen kind lively loyal lucid "
    "lucky mellow merry mild modest neat nimble noble patient plain playful plucky polite proud "
    "quick quiet rapid ready robust rosy serene sharp shiny silent simple sincere smart snug "
    "sober solid spry steady stoic sunny swift tidy tranquil upbeat vivid warm wise witty"
)
_CARRIER_WORDS: Final = (  # what has carried goods over water
    "argosy baidarka balsa bark barge brig canoe caravel cargo carrack clipper cog coracle "
    "corvette cutter dhow dinghy dory ferry felucca fluyt frigate galleon galley gig gondola "
    "hulk jolly junk kayak keel ketch knarr launch lighter longboat lugger nao packet piragua "
    "pinnace pontoon pram punt raft sampan schooner scow shallop ship skiff sloop smack snow "
    "tanker tartane tender trawler trimaran trireme tug umiak wherry whaler xebec yawl yacht "
    "yole zulu"
)
_MANNERS: Final = tuple(_MANNER_WORDS.split())
_CARRIERS: Final = tuple(_CARRIER_WORDS.split())


def new_id() -> str:
    """64 hex digits; the first twelve are never all decimal.

    The short ID becomes the host name, and one of digits only is refused by some
    programs as it looks like a number.
    """
    while (id := secrets.token_hex(32))[:12].isdecimal():
        pass
    return id


def check_name(name: str) -> str:
    """``name`` without its optional leading slash.  Raises ``InvalidParameter`` if malformed."""
    bare = name.removeprefix("/")
    if not _NAME.fullmatch(bare):
        raise InvalidParameter(
            f"Invalid container name ({name}), only {NAME_CHARACTERS} are allowed"
        )
    return bare


def random_name(
    taken: Callable[[str], bool], choose: Callable[[tuple[str, ...]], str] = random.choice
) -> str:
    """A name like ``brisk_sloop`` that is not ``taken``; a digit is added after some tries."""
    for attempt in range(100):
        name = f"{choose(_MANNERS)}_{choose(_CARRIERS)}"
        if attempt >= 5:
            name += str(attempt % 10)
        if not taken(name):
            return name
    return f"{choose(_MANNERS)}_{secrets.token_hex(4)}"


def name_conflict(name: str, holder: str) -> Conflict:
    """Docker's words for a name that the container with the ID ``holder`` has."""
    return Conflict(
        f'Conflict. The container name "/{name}" is already in use by container "{holder}". '
        "You have to remove (or rename) that container to be able to reuse that name."
    )


def find(ref: str, ids: Iterable[str], names: Mapping[str, str]) -> str:
    """The ID that ``ref`` means: a full ID, then a name, then a prefix of one ID.

    ``names``: name -> ID.  Raises ``NotFound``, and ``InvalidParameter`` for a prefix of
    several IDs (moby daemon/container.go, GetContainer).
    """
    known = ids if isinstance(ids, Mapping | set) else set(ids)
    if _ID.fullmatch(ref) and ref in known:
        return ref
    if (named := names.get(ref.removeprefix("/"))) is not None:
        return named
    if _PREFIX.fullmatch(ref):
        matches = [id for id in known if id.startswith(ref)]
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise InvalidParameter(f"Multiple IDs found with provided prefix: {ref}")
    raise NotFound(f"No such container: {ref}")
