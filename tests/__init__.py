"""The suite: `python -m pytest` runs all of it; without root it skips what needs the kernel."""
