"""Container specs as a create can ask for them, for hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

from minidocker.cgroups.resources import DeviceThrottle, Resources
from minidocker.containers.container import Container, Health, HealthResult, State
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
from minidocker.daemon.create_body import RUNTIMES

words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
names = st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True)
lists = st.lists(words, max_size=3).map(tuple)
maps = st.dictionaries(names, words, max_size=3)
paths = st.from_regex(r"/[a-z]{1,6}(/[a-z]{1,6})?", fullmatch=True)
positive = st.integers(1, 1 << 40)
limits = st.none() | positive

throttles = st.lists(
    st.builds(DeviceThrottle, st.integers(0, 4095), st.integers(0, 255), st.integers(0, 1 << 40)),
    max_size=2,
).map(tuple)

resources = st.builds(
    Resources,
    memory=limits,
    memory_swap=limits | st.just(-1),
    memory_reservation=limits,
    memory_swappiness=st.none() | st.integers(0, 100),
    oom_kill_disable=st.booleans(),
    cpu_shares=limits,
    nano_cpus=limits,
    cpu_quota=limits | st.just(-1),
    cpu_period=limits,
    cpu_realtime_period=limits,
    cpu_realtime_runtime=limits,
    cpuset_cpus=words,
    cpuset_mems=words,
    pids_limit=limits,
    blkio_weight=st.none() | st.integers(1, 1000),
    blkio_weight_device=throttles,
    read_bps=throttles,
    write_bps=throttles,
    read_iops=throttles,
    write_iops=throttles,
)

propagations = st.sampled_from(["private", "rprivate", "shared", "rshared", "slave", "rslave"])
binds = st.builds(
    Mount,
    kind=st.just("bind"),
    source=paths,
    target=paths,
    options=st.lists(st.sampled_from(["ro", "rw", "z"]) | propagations, max_size=3).map(tuple),
    create_source=st.just(True),
)
long_binds = st.builds(
    lambda source, target, ro, flat, create, propagation: Mount(
        "bind", source, target, ("ro",) * ro + ("bind",) * flat + propagation, create, long=True
    ),
    paths,
    paths,
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.just(()) | propagations.map(lambda one: (one,)),
)
tmpfs = st.builds(
    Mount,
    kind=st.just("tmpfs"),
    source=st.just(""),
    target=paths,
    options=st.lists(st.sampled_from(["ro", "exec", "size=64m", "mode=1777"]), max_size=2).map(
        tuple
    ),
)
long_tmpfs = st.builds(
    lambda target, ro, size, mode, more: Mount(
        "tmpfs", "", target, ("ro",) * ro + size + mode + tuple(more), long=True
    ),
    paths,
    st.booleans(),
    st.just(()) | st.integers(1, 1 << 40).map(lambda size: (f"size={size}",)),
    st.just(()) | st.integers(1, 0o7777).map(lambda mode: (f"mode={mode:o}",)),
    st.lists(st.sampled_from(["exec", "uid=7", "noatime"]), max_size=2),
)


@st.composite
def mounts(draw: st.DrawFn) -> tuple[Mount, ...]:
    """In the order in which inspect writes them, and no two tmpfs at one place."""
    chosen = draw(st.lists(binds, max_size=2))
    chosen += draw(st.lists(long_binds | long_tmpfs, max_size=3))
    chosen += draw(st.lists(tmpfs, max_size=2, unique_by=lambda one: one.target))
    return tuple(chosen)


health = st.builds(
    HealthCheck,
    test=lists,
    interval=st.integers(0, 1 << 40),
    timeout=st.integers(0, 1 << 40),
    start_period=st.integers(0, 1 << 40),
    start_interval=st.integers(0, 1 << 40),
    retries=st.integers(0, 10),
).filter(lambda one: one != HealthCheck())
devices = st.lists(
    st.builds(Device, paths, paths, st.sampled_from(["r", "rw", "rwm"])), max_size=2
).map(tuple)
sizes = st.integers(-1, (1 << 63) - 1)
ulimits = st.lists(st.builds(Ulimit, names, sizes, sizes), max_size=2).map(tuple)

specs = st.builds(
    ContainerSpec,
    image=words,
    command=st.none() | lists,
    entrypoint=st.none() | lists,
    environment=lists,
    working_dir=words,
    user=words,
    group_add=lists,
    labels=maps,
    stop_signal=words,
    stop_timeout=st.none() | st.integers(-1, 100),
    health=st.none() | health,
    exposed_ports=st.lists(names, max_size=2, unique=True).map(tuple),
    on_build=lists,
    shell=lists,
    args_escaped=st.booleans(),
    tty=st.booleans(),
    open_stdin=st.booleans(),
    stdin_once=st.booleans(),
    attach_stdin=st.booleans(),
    attach_stdout=st.booleans(),
    attach_stderr=st.booleans(),
    console_size=st.tuples(st.integers(0, 65535), st.integers(0, 65535)),
    hostname=words.filter(bool),
    domainname=words,
    extra_hosts=lists,
    dns=lists,
    dns_search=lists,
    dns_options=lists,
    mac_address=words,
    runtime=st.sampled_from(RUNTIMES),
    isolation=st.sampled_from(["", "default"]),
    network_mode=st.sampled_from(["none", "host", "container:abc"]),
    pid_mode=words,
    ipc_mode=words.filter(bool),
    uts_mode=words,
    cgroupns_mode=st.sampled_from(["private", "host"]),
    userns_mode=words,
    privileged=st.booleans(),
    cap_add=lists,
    cap_drop=lists,
    security_opt=lists,
    read_only=st.booleans(),
    devices=devices,
    device_cgroup_rules=lists,
    sysctls=maps,
    masked_paths=lists,
    readonly_paths=lists,
    mounts=mounts(),
    shm_size=positive,
    ulimits=ulimits,
    oom_score_adj=st.integers(-1000, 1000),
    resources=resources,
    cgroup_parent=words,
    init=st.booleans(),
    auto_remove=st.booleans(),
    restart=st.builds(RestartPolicy, st.sampled_from(["no", "always"]), st.integers(0, 9)),
    log=st.builds(LogConfig, st.sampled_from(["json-file", "local", "none"]), maps),
    annotations=maps,
)

times = st.integers(0, 4 * 10**18)
health_results = st.builds(HealthResult, times, times, st.integers(-1, 255), words)
states = st.builds(
    State,
    status=st.sampled_from(STATES),
    pid=st.integers(0, 1 << 22),
    exit_code=st.integers(0, 255),
    error=words,
    oom_killed=st.booleans(),
    started_at=times,
    finished_at=times,
    health=st.none()
    | st.builds(
        Health,
        st.sampled_from(["starting", "healthy", "unhealthy"]),
        st.integers(0, 9),
        st.lists(health_results, max_size=2).map(tuple),
    ),
)
digits = st.text("0123456789abcdef", min_size=64, max_size=64)
containers = st.builds(
    Container,
    id=digits,
    name=names,
    spec=specs,
    image_id=digits.map(lambda hex: f"sha256:{hex}"),
    created_ns=times,
    args=lists.filter(bool),
    restart_count=st.integers(0, 9),
    state=states,
)
