"""The kernel, with the kernel's own names: flags, system calls, plans of steps."""
