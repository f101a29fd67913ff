"""From what the user asked to what the container will be: completed, checked, settled.

Everything that can be refused is refused here, before anything is made; create
and the dry run share it.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from minidocker.cgroups import validate
from minidocker.cgroups.machine import Machine
from minidocker.cgroups.steps import clean_path
from minidocker.containers.check import check_modes, check_spec
from minidocker.containers.container import Container
from minidocker.containers.devices import device_rules, find_devices
from minidocker.containers.files import HostFiles, hostname_of, hosts_text, resolv_conf_text
from minidocker.containers.merge import merge
from minidocker.containers.modes import HOST, SHAREABLE, Modes, parse_modes
from minidocker.containers.mounts import check_mounts, clean
from minidocker.containers.network_settle import FindNetwork, with_networks
from minidocker.containers.security import (
    Security,
    effective_capabilities,
    parse_security_options,
)
from minidocker.containers.spec import ContainerSpec
from minidocker.errors import InvalidParameter, NotFound, Refused
from minidocker.namespaces.capabilities import bounding_set
from minidocker.oci.image_config import RunDefaults

_FIELDS: Final = {"network": "network_mode", "pid": "pid_mode", "ipc": "ipc_mode"}


@dataclass(frozen=True)
class Host:
    """What of this machine decides how a container will be.

    ``capabilities``: all that there are to give.  ``thermal``: the files of its
    processors that show its load.
    """

    name: str
    files: HostFiles
    capabilities: tuple[str, ...]
    thermal: tuple[str, ...]
    apparmor: bool
    selinux: bool

    @classmethod
    def read(cls) -> Host:
        """The machine as it is now."""
        return cls(
            name=os.uname().nodename,
            files=HostFiles.read(),
            capabilities=bounding_set(),
            thermal=tuple(sorted(glob.glob("/sys/devices/system/cpu/cpu[0-9]*/thermal_throttle"))),
            apparmor=os.path.isdir("/sys/kernel/security/apparmor"),
            selinux=os.path.exists("/sys/fs/selinux/enforce"),
        )

    def security(self, spec: ContainerSpec) -> Security:
        """Its ``--security-opt``s.  Raises ``InvalidParameter``, ``Refused``."""
        return parse_security_options(
            spec.security_opt, apparmor=self.apparmor, selinux=self.selinux
        )

    def capabilities_of(self, spec: ContainerSpec) -> tuple[str, ...]:
        """What it may do.  Raises ``InvalidParameter``."""
        return effective_capabilities(
            spec.cap_add, spec.cap_drop, spec.privileged, self.capabilities
        )


@dataclass(frozen=True)
class Settled:
    """``spec`` is complete: the image's defaults are in it, other containers are named by ID."""

    spec: ContainerSpec
    modes: Modes
    warnings: tuple[str, ...] = ()


def settle(
    asked: ContainerSpec,
    image: RunDefaults,
    host: Host,
    machine: Machine | None,
    lookup: Callable[[str], Container],
    find_network: FindNetwork,
) -> Settled:
    """Complete ``asked`` from the image, and refuse what cannot be.

    ``machine``: what its cgroups can do; None where there are none.  ``lookup`` finds the
    containers whose namespaces are shared, ``find_network`` the networks.  Raises
    ``InvalidParameter``, ``Refused``, ``NotFound``.
    """
    spec = merge(asked, image)
    check_spec(spec)
    modes = parse_modes(spec)
    check_modes(spec, modes)
    check_mounts(spec.mounts)
    if spec.cgroup_parent.strip("/"):
        clean_path(spec.cgroup_parent)
    host.security(spec)
    host.capabilities_of(spec)
    device_rules(find_devices(spec.devices, privileged=False), spec.device_cgroup_rules, False)
    hosts_text(spec.extra_hosts, modes, host.files.hosts)
    spec = replace(
        spec,
        working_dir=spec.working_dir and clean(spec.working_dir),
        security_opt=(*spec.security_opt, *unlabelled(spec)),
    )
    resolv_conf_text(spec, modes, host.files.resolv_conf)
    spec, warnings = with_limits(spec, machine)
    spec = with_networks(with_partners(spec, modes, lookup), find_network)
    return Settled(spec, parse_modes(spec), warnings)


def unlabelled(spec: ContainerSpec) -> tuple[str, ...]:
    """Who is trusted like the host, or shares its processes, has no label of SELinux's
    (moby daemon/create.go, ``generateSecurityOpt``)."""
    trusted = spec.privileged or HOST in (spec.pid_mode, spec.ipc_mode)
    labelled = any(option.startswith(("label=", "label:")) for option in spec.security_opt)
    return ("label=disable",) if trusted and not labelled else ()


def with_limits(
    spec: ContainerSpec, machine: Machine | None
) -> tuple[ContainerSpec, tuple[str, ...]]:
    """The limits as this machine can keep them, and a warning for each that it cannot."""
    if machine is not None:
        resources, warnings = validate(spec.resources, machine)
        return replace(spec, resources=resources), warnings
    if spec.resources != type(spec.resources)():
        raise Refused(
            "limits need cgroups, and none are mounted on this machine: "
            "mount them (mount -t cgroup2 none /sys/fs/cgroup) or leave the limits out"
        )
    return spec, ()


def with_partners(
    spec: ContainerSpec, modes: Modes, lookup: Callable[[str], Container]
) -> ContainerSpec:
    """``container:NAME`` becomes ``container:ID``; with the network goes the host name."""
    for kind, name in modes.joined.items():
        try:
            partner = lookup(name)
        except NotFound as error:
            # Not "not found": to that the docker command answers by pulling the image.
            raise InvalidParameter(str(error)) from error
        if kind == "ipc" and partner.spec.ipc_mode not in (SHAREABLE, HOST):
            raise InvalidParameter(
                f"cannot join IPC of container {partner.id}: non-shareable IPC "
                "(hint: use IpcMode:shareable for the donor container)"
            )
        changes: dict[str, str] = {_FIELDS[kind]: f"container:{partner.id}"}
        if kind == "network":
            theirs = parse_modes(partner.spec)
            hostname = hostname_of(partner.spec, theirs, partner.short_id, os.uname().nodename)
            changes |= {"hostname": hostname, "domainname": partner.spec.domainname}
        spec = replace(spec, **changes)  # type: ignore[arg-type]
    return spec
