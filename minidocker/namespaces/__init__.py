"""Setting up a container, in the order that the kernel wants.

The launcher forks a monitor, the monitor forks the container's first process,
and that one walks through a plan of steps up to ``execve``.  Read ``plan.py``
first: it is the whole story, as data.
"""
