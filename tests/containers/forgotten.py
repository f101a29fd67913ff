"""A daemon to be killed: it does what it is told, says so, and waits for its end.

``python -m tests.containers.forgotten ROOT``, and on standard input a line of JSON
for each container: how to create it, and whether to start it.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from minidocker.containers.spec import Mount, RestartPolicy
from tests.containers.home import Home


async def serve(home: Home) -> None:
    loop = asyncio.get_running_loop()
    async with home.containers() as engine:
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            order: dict[str, Any] = json.loads(line)
            how = order["how"]
            if "restart" in how:
                how["restart"] = RestartPolicy(**how["restart"])
            how["mounts"] = tuple(Mount(**each) for each in how.pop("mounts", ()))
            id = engine.create(*order["command"], **how)
            if order["start"]:
                await engine.containers.start(id)
            for then in order["then"]:
                await getattr(engine.containers, then)(id)
            print(id, flush=True)


if __name__ == "__main__":
    asyncio.run(serve(Home(Path(sys.argv[1]))))
