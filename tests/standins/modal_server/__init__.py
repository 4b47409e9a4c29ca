"""A stand-in for Modal: its control plane on loopback, and a worker that runs the real code.

The real client of modal 1.6.4 talks to it (MODAL_SERVER_URL), and functions run as the real
container runtime, `python -m modal._container_entrypoint`, in a process of this machine. What is
not there: images are not built, and GPUs are only written down. What a container writes to a
volume is kept once it is committed, or when the container ends well; else it is lost with it.
`lab.py` starts one.
"""
