"""Volumes: directories that outlive the containers they are mounted in.

A volume is a name on record (``store``) and a directory, <data-root>/volumes/<name>/_data.
It is made with options (``options``) when its files are to be elsewhere, and filled from the
image when it is mounted for the first time (``copy_up``).  How one gets into a container is
a step of that container's start: nothing here mounts anything.
"""
