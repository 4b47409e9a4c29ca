"""A stand-in for one GPU host of a dstack SSH fleet: sshd, shim and runner in one process.

The real `dstack server` takes it for a machine with docker and GPUs, and runs jobs on it. Nothing
needs root, docker, systemd or a GPU; everything listens on the loopback. A job's commands are run
as local processes, in a folder that stands for the container's disk: its paths must be relative.

What the server asks of a host was read from dstack 0.22.5 (shared/facts/dstack.md, section 6).
"""

VERSION = "0.22.5"
"""The version that shim and runner say they are."""
