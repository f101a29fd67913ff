"""Tests of minidocker/cgroups: the mapping as values, the drivers on a real kernel."""
