"""The project's benchmark: this engine and dockerd, driven by the same docker command, in turn.

``python -m tests.bench`` as root.  It is no timed test: nothing fails when a figure is missed.
"""
