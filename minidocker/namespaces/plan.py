"""The whole story of a container's start, as a list of steps.

Two processes take part: the *starter*, which stays outside and forks, and
*init*, its child, which becomes the container's first process.  The plan is
built from the OCI runtime spec by pure functions, so that it can be printed
without being run, and be checked as a value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from minidocker.linux.plan import Step
from minidocker.namespaces.capabilities import DropBoundingSet, SetCapabilities
from minidocker.namespaces.interfaces import OpenNameSockets, interface_steps
from minidocker.namespaces.process import (
    ApplyAppArmor,
    BringUpLoopback,
    ChangeDirectory,
    CloseDescriptors,
    Fork,
    JoinCgroup,
    JoinNamespaces,
    NewSession,
    NoNewPrivileges,
    NotDumpable,
    ResetSignals,
    SessionKeyring,
    SetDomainname,
    SetHostname,
    SetOomScore,
    SetRlimit,
    Unshare,
    WriteSysctl,
)
from minidocker.namespaces.program import ExecProgram, ReapAsInit
from minidocker.namespaces.rootfs import closing_steps, rootfs_steps
from minidocker.namespaces.seccomp import LoadSeccomp
from minidocker.namespaces.terminal import OpenTerminal
from minidocker.namespaces.users import BecomeUser


@dataclass(frozen=True)
class Plan:
    """``starter`` runs outside, ends with a fork; ``init`` runs in the child, ends with execve."""

    starter: tuple[Step, ...]
    init: tuple[Step, ...]

    def steps(self) -> list[tuple[str, Step]]:
        """All of it in order, each step with the process that does it."""
        return [("starter", step) for step in self.starter] + [("init", step) for step in self.init]


def container_plan(
    request: Mapping[str, Any],
    joined: Sequence[int] = (),
    report_fd: int = 3,
    route_fd: int = 4,
) -> Plan:
    """The plan of a container's start.

    ``request`` is the launch request: ``spec`` (OCI runtime config.json), ``rootfs``,
    ``seccomp``, ``cgroup_procs``, ``init``, ``join``, ``network`` (as of ``rewire_steps``).
    ``joined``: the pidfds of the containers whose namespaces are shared; ``request["join"]``
    says which is for what.  ``report_fd``: init's socket to the starter, over which the
    terminal is passed out.  ``route_fd``: a netlink socket of the host's network namespace.
    """
    spec, process = request["spec"], request["spec"]["process"]
    own = [each["type"] for each in spec["linux"]["namespaces"] if not each.get("path")]
    join = {kind: joined[index] for kind, index in (request.get("join") or {}).items()}
    procs = tuple(request.get("cgroup_procs") or ())

    init: list[Step] = [NotDumpable(), NewSession(), JoinCgroup(procs)]
    init += _oom_score(process)
    init += [JoinNamespaces(fd, (kind,)) for kind, fd in join.items() if kind != "pid"]
    init.append(
        Unshare(
            tuple(
                kind
                for kind in ("mount", "uts", "ipc", "network", "cgroup")
                if kind in own and kind not in join
            )
        )
    )
    init += _names(spec, own)
    if "network" in own and "network" not in join:
        init += _network(request.get("network") or {}, report_fd, route_fd)
    init += rootfs_steps(spec, request["rootfs"], procs)
    if process.get("terminal"):
        size = process.get("consoleSize") or {}
        init.append(OpenTerminal(report_fd, size.get("height", 0), size.get("width", 0)))
    init += [WriteSysctl(*pair) for pair in (spec["linux"].get("sysctl") or {}).items()]
    init += closing_steps(spec)
    init += identity_steps(process, request.get("seccomp"), request["id"], report_fd, make_cwd=True)
    if request.get("init"):
        init.append(ReapAsInit(f"/sbin/docker-init -- {' '.join(process['args'])}"))
    init.append(_program(process))
    return Plan(_starter(own, join), tuple(init))


def _starter(own: Sequence[str], join: Mapping[str, int]) -> tuple[Step, ...]:
    """CLONE_NEWPID is for children, so it is the parent's step; all others are the child's."""
    fork = Fork("PID 1 of the container" if "pid" in own else "the container's process")
    if "pid" in join:
        return JoinNamespaces(join["pid"], ("pid",)), fork
    if "pid" in own:
        return Unshare(("pid",)), fork
    return (fork,)


def plan_of(
    request: Mapping[str, Any],
    joined: Sequence[int] = (),
    report_fd: int = 3,
    route_fd: int = 4,
) -> Plan:
    """The plan of a launch request, whichever it is."""
    if request["op"] == "exec":
        return exec_plan(request, joined[0], report_fd)
    return container_plan(request, joined, report_fd, route_fd)


def exec_plan(request: Mapping[str, Any], pidfd: int, report_fd: int = 3) -> Plan:
    """The plan of ``exec``: one more process in the namespaces of a running container.

    ``pidfd``: of the container's first process.
    """
    process = request["process"]
    # The mount namespace changes what "/" is, so it is entered with all others at once;
    # the pid namespace is for the child that is forked next.
    starter: list[Step] = [
        JoinNamespaces(pidfd, ("pid",)),
        Fork("the process in the container"),
    ]
    init: list[Step] = [
        NotDumpable(),
        NewSession(),
        JoinCgroup(tuple(request.get("cgroup_procs") or ())),
        *_oom_score(process),
        JoinNamespaces(pidfd, ("mount", "uts", "ipc", "network", "cgroup")),
    ]
    if process.get("terminal"):
        size = process.get("consoleSize") or {}
        init.append(
            OpenTerminal(report_fd, size.get("height", 0), size.get("width", 0), console=False)
        )
    init += identity_steps(
        process, request.get("seccomp"), request["id"], report_fd, make_cwd=False
    )
    init.append(_program(process))
    return Plan(tuple(starter), tuple(init))


def identity_steps(
    process: Mapping[str, Any], seccomp: str | None, keyring: str, report_fd: int, *, make_cwd: bool
) -> list[Step]:
    """Limits, directory, user, capabilities, filter: what makes the process harmless.

    The order is the kernel's: the bounding set needs CAP_SETPCAP, setgroups needs
    CAP_SETGID, so both come before the capabilities go.  A seccomp filter needs
    CAP_SYS_ADMIN, or no_new_privs: without the latter it is loaded before the
    capabilities go; with it as late as can be, so that it need not allow our own calls.
    """
    caps = process.get("capabilities") or {}
    user = process.get("user") or {}
    name = user.get("username", f"{user.get('uid', 0)}:{user.get('gid', 0)}")
    groups = tuple(str(group) for group in user.get("additionalGids") or ())
    groups += tuple(user.get("additionalGroups") or ())

    steps: list[Step] = [SessionKeyring(keyring)]
    steps += [
        SetRlimit(each["type"], each["soft"], each["hard"]) for each in process.get("rlimits") or ()
    ]
    steps.append(ChangeDirectory(process.get("cwd") or "/", make=make_cwd))
    if process.get("apparmorProfile"):
        steps.append(ApplyAppArmor(process["apparmorProfile"]))
    filters: list[Step] = [LoadSeccomp.from_text(seccomp)] if seccomp else []
    if not process.get("noNewPrivileges"):
        steps += filters
    steps += [
        DropBoundingSet(tuple(caps.get("bounding") or ())),
        BecomeUser(name, groups),
        SetCapabilities(
            effective=tuple(caps.get("effective") or ()),
            permitted=tuple(caps.get("permitted") or ()),
            inheritable=tuple(caps.get("inheritable") or ()),
            ambient=tuple(caps.get("ambient") or ()),
        ),
        # After the change of user, which clears it.
        NotDumpable(),
        ResetSignals(),
        CloseDescriptors(report_fd),
    ]
    if process.get("noNewPrivileges"):
        steps += [NoNewPrivileges(), *filters]
    return steps


def _names(spec: Mapping[str, Any], own: Sequence[str]) -> list[Step]:
    steps: list[Step] = []
    if "uts" in own and spec.get("hostname"):
        steps.append(SetHostname(spec["hostname"]))
    if "uts" in own and spec.get("domainname"):
        steps.append(SetDomainname(spec["domainname"]))
    return steps


def _network(request: Mapping[str, Any], report_fd: int, route_fd: int) -> list[Step]:
    plug, gateways = request.get("plug") or (), request.get("gateways") or ()
    steps = [BringUpLoopback(), *interface_steps(plug, gateways, route_fd)]
    if request.get("names"):
        steps.append(OpenNameSockets(report_fd))
    return steps


def _oom_score(process: Mapping[str, Any]) -> list[Step]:
    score = process.get("oomScoreAdj")
    return [] if score is None else [SetOomScore(score)]


def _program(process: Mapping[str, Any]) -> ExecProgram:
    return ExecProgram(tuple(process["args"]), tuple(process.get("env") or ()))
