"""Differential tests: the same question to dockerd and to this engine."""
