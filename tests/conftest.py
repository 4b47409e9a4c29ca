"""Settings for every test."""

from __future__ import annotations

import signal

from hypothesis import settings

# A deadline would measure how busy the machine is.
settings.register_profile("ftui", deadline=None, max_examples=60)
settings.load_profile("ftui")

# Under nohup, or behind a shell's `&`, these are ignored, in every program that a test starts, too.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
