"""Whether a server is on this machine, where no proxy of the environment is to be asked."""

from __future__ import annotations

from urllib.parse import urlsplit


def is_here(url: str) -> bool:
    """Whether a server's address is on this machine's own loopback."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:  # it is no address, as whoever asks it will say
        return False
    return host in ("localhost", "::1") or host.startswith("127.")
