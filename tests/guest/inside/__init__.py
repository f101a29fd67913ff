"""Tests that run in the guest only: their files' names do not begin with ``test_``, so that
pytest finds them nowhere else.  ``FILES`` is all that runs there."""

FILES = (
    "tests/cgroups/test_contract_life.py",
    "tests/cgroups/test_contract_limits.py",
    "tests/cgroups/test_devices_on_a_kernel.py",
    "tests/guest/inside/v2.py",
    "tests/guest/inside/containers.py",
)
