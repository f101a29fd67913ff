"""Operations of the API that this engine does not have yet, each with the command that asks.

They are refused by the command's name: "page not found" would tell nobody what is
missing.  Swarm, plugins and what belongs to them are no part of this engine at all.
"""

from __future__ import annotations

from typing import Final

UNSERVED: Final = (
    ("POST", "/build", "docker build"),
    ("POST", "/build/prune", "docker builder prune"),
    ("POST", "/session", "BuildKit"),
    ("POST", "/images/{name}/push", "docker push"),
    ("POST", "/volumes/create", "docker volume create"),
    ("GET", "/volumes/{name}", "docker volume inspect"),
    ("DELETE", "/volumes/{name}", "docker volume rm"),
    ("POST", "/volumes/prune", "docker volume prune"),
)
