"""The composition root: builds every service, hands each what it needs, serves.

Nothing is global: who wants to know what the engine is made of reads ``build``.
On SIGTERM or SIGINT it stops answering, and the containers go on: their monitors
keep them, and the next daemon on this root takes them over.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from minidocker import __version__
from minidocker.cgroups import Driver, detect
from minidocker.containers.events import EventBus
from minidocker.containers.service import Containers, Places
from minidocker.containers.warm import WarmLauncher
from minidocker.daemon.engine import Engine, Facts
from minidocker.daemon.machine import (
    engine_id,
    make_directory,
    need_overlay,
    need_root,
    need_upper,
    only_daemon,
    pid_file,
)
from minidocker.daemon.options import Options, parse_options
from minidocker.daemon.routes import Router, describe_os_error
from minidocker.daemon.server import Server, listen, remove_socket_files
from minidocker.errors import MinidockerError
from minidocker.images import store as image_store
from minidocker.images.store import ImageStore
from minidocker.layers.snapshot import Snapshots
from minidocker.layers.store import LayerStore
from minidocker.layers.trees import remove_tree
from minidocker.linux.mountinfo import host_mounts
from minidocker.records import open_records

log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the daemon until it is told to stop; its exit code."""
    try:
        options = parse_options(sys.argv[1:] if argv is None else argv)
        logging.basicConfig(
            level=logging.DEBUG if options.debug else logging.INFO,
            format="%(asctime)s %(levelname)s %(message)s",
        )
        logging.getLogger("asyncio").setLevel(logging.WARNING)
        with claim(options):
            asyncio.run(serve(options))
    except MinidockerError as error:
        return _complain(str(error))
    except OSError as error:
        return _complain(describe_os_error(error))
    except sqlite3.Error as error:
        return _complain(f"the records in {options.data_root}/minidocker.db: {error}")
    return 0


def _complain(sentence: str) -> int:
    print(f"minidocker daemon: {sentence}", file=sys.stderr)
    return 1


@contextlib.contextmanager
def claim(options: Options) -> Iterator[None]:
    """Everything that can be refused is refused here, before anything is changed."""
    need_root()
    need_overlay()
    os.umask(0o022)
    with contextlib.ExitStack() as stack:
        # 0711: the socket in the exec root is for its group, the other names are for nobody.
        for path, flag in ((options.data_root, "--data-root"), (options.exec_root, "--exec-root")):
            make_directory(path, 0o711)
            stack.enter_context(only_daemon(path, flag))
        need_upper(options.data_root, host_mounts())
        stack.enter_context(pid_file(options.pidfile))
        yield


def build(options: Options, cgroups: Driver, launcher: WarmLauncher) -> Engine:
    """The services of one daemon.  Needs a running event loop."""
    data = options.data_root
    events = EventBus()

    def image_event(action: str, image_id: str, name: str) -> None:
        events.publish("image", action, image_id, {"name": name or image_id})

    db = open_records(data / "minidocker.db", [image_store.SCHEMA])
    # An image of 100,000 files takes seconds to remove, and others want answers meanwhile.
    rubbish = ThreadPoolExecutor(1, "rubbish")
    layers = LayerStore(data / "layers", discard=lambda path: rubbish.submit(remove_tree, path))
    images = ImageStore(data / "images", layers, db, image_event)
    make_directory(data / "containers", 0o711)
    containers = Containers(
        places=Places(root=data / "containers", run=options.exec_root),
        db=db,
        snapshots=Snapshots(data / "containers", layers),
        cgroups=cgroups,
        events=events,
        launcher=launcher,
    )
    facts = Facts(
        id=engine_id(data / "engine-id"),
        data_root=data,
        exec_root=options.exec_root,
        cgroup_version=cgroups.name.removeprefix("v"),
        debug=options.debug,
        started_ns=time.time_ns(),
    )
    supports = cgroups.machine().supports
    return Engine(containers, images, layers, events, facts, options.registry, supports)


async def serve(options: Options) -> None:
    """Take over what runs, answer requests until a signal comes, let go."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    # The launcher warms up in its own process while the records are read here.
    launcher = WarmLauncher(options.exec_root)
    warming = asyncio.create_task(launcher.start())
    engine = build(options, detect(), launcher)
    await warming
    await engine.containers.reconcile()
    listeners = [listen(address) for address in options.hosts]
    server = Server(listeners, Router(engine))
    releasing = asyncio.create_task(release_layers(engine))
    try:
        server.start()
        announce(options)
        gc.collect()
        gc.freeze()  # what is there now stays: the collector need not look at it again
        await stopping.wait()
    finally:
        remove_socket_files(options.hosts)
        await server.close()
        releasing.cancel()
        await engine.containers.close()
        log.info("stopped; the containers go on")


async def release_layers(engine: Engine) -> None:
    """Layers of an image that was removed by force go with the last container on them."""

    def in_use(image_id: str) -> list[str]:
        return [each.id for each in engine.containers.using_image(image_id)]

    engine.images.release(in_use)  # what was destroyed while no daemon ran
    with engine.events.subscribe(
        lambda event: (event.kind, event.action) == ("container", "destroy")
    ) as destroyed:
        async for _ in destroyed:
            engine.images.release(in_use)


def announce(options: Options) -> None:
    """Say that requests are answered: in the log, and on ``--ready-fd``."""
    where = ", ".join(map(str, options.hosts))
    log.info("minidocker %s answers on %s; data root %s", __version__, where, options.data_root)
    if options.ready_fd is not None:
        with contextlib.suppress(OSError):  # who wanted to know may be gone
            os.write(options.ready_fd, b"ready\n")
            os.close(options.ready_fd)
