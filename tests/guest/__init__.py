"""Tests in a guest: a kernel with cgroup v2 under QEMU, where this machine has v1.

``cpio.py`` writes an initramfs, ``contents.py`` says what is in it,
``qemu.py`` boots it, ``init`` is its first program, ``report.py`` is pytest's
plugin inside, and ``inside/`` are tests that run there only.
"""
