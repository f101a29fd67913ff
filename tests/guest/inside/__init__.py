"""Tests that run in the guest only; their names do not begin with ``test_``, so that pytest
finds them nowhere else."""
