"""Specs as hypothesis draws them: what a user could ask for, valid by itself."""

from __future__ import annotations

import string

from hypothesis import strategies as st

from minidocker.cgroups.resources import DeviceRule, DeviceThrottle, Resources
from minidocker.containers.container import Container, Health, HealthResult, State
from minidocker.containers.devices import DeviceNode
from minidocker.containers.modes import parse_modes
from minidocker.containers.spec import (
    ContainerSpec,
    Device,
    HealthCheck,
    LogConfig,
    Mount,
    RestartPolicy,
    Ulimit,
)
from minidocker.containers.state import STATES
from minidocker.namespaces.capabilities import NAMES
from minidocker.oci.image_config import ImageHealthcheck, RunDefaults

texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=8)
words = st.text(string.ascii_letters + string.digits + "_.-", min_size=1, max_size=8)
commands = st.lists(texts, max_size=3).map(tuple)
maybe_commands = st.none() | commands
paths = st.lists(words.filter(lambda word: word.strip(".")), min_size=1, max_size=3).map(
    lambda parts: "/" + "/".join(parts)
)
keys = st.text(string.ascii_uppercase + "_", min_size=1, max_size=3)
environments = st.lists(
    st.builds("{}={}".format, keys, texts) | keys,
    max_size=4,
).map(tuple)
labels = st.dictionaries(words, texts, max_size=3)
durations = st.just(0) | st.integers(10**6, 10**12)
ids = st.text("0123456789abcdef", min_size=64, max_size=64)

healths = st.builds(
    HealthCheck,
    test=st.just(()) | st.just(("NONE",)) | texts.map(lambda text: ("CMD-SHELL", text)),
    interval=durations,
    timeout=durations,
    start_period=durations,
    start_interval=durations,
    retries=st.integers(0, 9),
)
image_healths = st.builds(
    ImageHealthcheck,
    test=st.just(()) | texts.map(lambda text: ("CMD", text)),
    interval=durations,
    timeout=durations,
    retries=st.integers(0, 9),
)
binds = st.builds(
    Mount,
    kind=st.just("bind"),
    source=paths,
    target=paths,
    options=st.sets(st.sampled_from(["ro", "rshared", "z", "bind"])).map(tuple),
    create_source=st.booleans(),
)
tmpfses = st.builds(
    Mount,
    kind=st.just("tmpfs"),
    source=st.just(""),
    target=paths,
    options=st.sets(st.sampled_from(["ro", "exec", "suid", "size=64m", "mode=1777"])).map(tuple),
)
mounts = st.lists(binds | tmpfses, max_size=4, unique_by=lambda mount: mount.target).map(tuple)
rules = st.builds(
    DeviceRule,
    allow=st.booleans(),
    kind=st.sampled_from("abc"),
    major=st.none() | st.integers(0, 300),
    minor=st.none() | st.integers(0, 300),
    access=st.sampled_from(["r", "rw", "rwm"]),
)
resources = st.builds(
    Resources,
    memory=st.none() | st.integers(1, 1 << 40),
    nano_cpus=st.none() | st.integers(1, 10**10),
    cpuset_cpus=st.sampled_from(["", "0", "0-1"]),
    read_bps=st.lists(st.builds(DeviceThrottle, *[st.integers(0, 300)] * 3), max_size=2).map(tuple),
    devices=st.none() | st.lists(rules, max_size=2).map(tuple),
)
capabilities = st.lists(st.sampled_from(NAMES), max_size=4).map(tuple)
security_options = st.lists(
    st.sampled_from(["no-new-privileges", "seccomp=unconfined", "systempaths=unconfined"]),
    unique=True,
).map(tuple)

specs = st.builds(
    ContainerSpec,
    image=words,
    command=maybe_commands,
    entrypoint=maybe_commands,
    environment=environments,
    working_dir=st.just("") | paths,
    user=st.sampled_from(["", "app", "1000:10", "app:wheel"]),
    group_add=st.lists(words, max_size=2).map(tuple),
    labels=labels,
    stop_signal=st.sampled_from(["", "SIGUSR1", "9"]),
    stop_timeout=st.none() | st.integers(-1, 100),
    health=st.none() | healths,
    volumes=st.lists(paths, max_size=2).map(tuple),
    tty=st.booleans(),
    open_stdin=st.booleans(),
    console_size=st.tuples(st.integers(0, 500), st.integers(0, 500)),
    hostname=st.just("") | words,
    domainname=st.just("") | words,
    network_mode=st.sampled_from(["default", "none", "host"]),
    pid_mode=st.sampled_from(["", "host"]),
    ipc_mode=st.sampled_from(["", "private", "shareable", "none", "host"]),
    uts_mode=st.sampled_from(["", "host"]),
    cgroupns_mode=st.sampled_from(["", "private", "host"]),
    privileged=st.booleans(),
    cap_add=capabilities,
    cap_drop=capabilities,
    security_opt=security_options,
    read_only=st.booleans(),
    devices=st.lists(st.builds(Device, paths, paths, st.just("rwm")), max_size=2).map(tuple),
    sysctls=st.dictionaries(st.just("net.ipv4.ip_forward"), st.just("1")),
    masked_paths=st.none() | st.lists(paths, max_size=2).map(tuple),
    readonly_paths=st.none() | st.lists(paths, max_size=2).map(tuple),
    mounts=mounts,
    shm_size=st.integers(0, 1 << 40),
    ulimits=st.lists(
        st.sampled_from([Ulimit("nofile", 10, 20), Ulimit("core", -1, -1)]), unique=True
    ).map(tuple),
    oom_score_adj=st.integers(-1000, 1000),
    resources=resources,
    init=st.booleans(),
    restart=st.builds(
        RestartPolicy,
        st.sampled_from(["no", "always", "unless-stopped", "on-failure"]),
        st.integers(0, 3),
    ),
    log=st.builds(LogConfig, st.sampled_from(["", "json-file", "none"]), st.just({})),
    annotations=st.dictionaries(words, texts, max_size=2),
)

images = st.builds(
    RunDefaults,
    user=st.sampled_from(["", "nobody"]),
    env=environments.map(lambda entries: tuple(each for each in entries if "=" in each)),
    entrypoint=maybe_commands,
    cmd=maybe_commands,
    volumes=st.lists(paths, max_size=2).map(tuple),
    working_dir=st.just("") | paths,
    labels=labels,
    stop_signal=st.sampled_from(["", "SIGQUIT"]),
    healthcheck=st.none() | image_healths,
    shell=maybe_commands,
)
modes = st.builds(
    ContainerSpec,
    network_mode=st.sampled_from(["default", "none", "host"]),
    ipc_mode=st.sampled_from(["", "private", "shareable", "none", "host"]),
    pid_mode=st.sampled_from(["", "host"]),
).map(parse_modes)
nodes = st.builds(
    DeviceNode,
    path=paths,
    kind=st.sampled_from("bc"),
    major=st.integers(0, 300),
    minor=st.integers(0, 300),
    mode=st.integers(0, 0o777),
    uid=st.integers(0, 100),
    gid=st.integers(0, 100),
)

results = st.builds(
    HealthResult,
    start=st.integers(0, 10**18),
    end=st.integers(0, 10**18),
    exit_code=st.integers(-1, 255),
    output=texts,
)
states = st.builds(
    State,
    status=st.sampled_from(STATES),
    pid=st.integers(0, 1 << 22),
    exit_code=st.integers(0, 255),
    error=texts,
    oom_killed=st.booleans(),
    started_at=st.integers(0, 10**19),
    finished_at=st.integers(0, 10**19),
    health=st.none()
    | st.builds(
        Health,
        st.sampled_from(["starting", "healthy", "unhealthy"]),
        st.integers(0, 9),
        st.lists(results, max_size=2).map(tuple),
    ),
    stopped_by_user=st.booleans(),
)
containers = st.builds(
    Container,
    id=ids,
    name=words,
    spec=specs,
    image_id=ids.map("sha256:{}".format),
    diff_ids=st.lists(ids.map("sha256:{}".format), max_size=2).map(tuple),
    created_ns=st.integers(0, 10**19 // 2),
    args=commands,
    restart_count=st.integers(0, 9),
    state=states,
)
