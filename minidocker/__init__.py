"""minidocker: a container engine that one person can read in a weekend."""

__version__ = "0.1.0"
