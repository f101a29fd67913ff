"""What a container may use: limits, accounting, freezing and killing by cgroup.

Two versions of the kernel's interface stand behind one protocol (``driver.py``).
Start reading at ``resources.py`` (what is asked for), then ``v2.py`` or
``v1.py`` (which files that becomes), then ``steps.py`` (how they are written).
"""

from minidocker.cgroups.driver import Cgroup, Driver
from minidocker.cgroups.hierarchies import detect
from minidocker.cgroups.resources import DeviceRule, DeviceThrottle, Resources
from minidocker.cgroups.validate import validate, validate_update

__all__ = [
    "Cgroup",
    "DeviceRule",
    "DeviceThrottle",
    "Driver",
    "Resources",
    "detect",
    "validate",
    "validate_update",
]
