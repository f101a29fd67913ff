"""Tests of the daemon: its wire, its shapes, its command line, and real clients."""
