"""Tests of containers: the pure rules, and real ones on this machine's kernel."""
