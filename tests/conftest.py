"""Settings for every test."""

from __future__ import annotations

import os
import signal

from hypothesis import settings

# What a person's terminal says of itself changes where words are broken, and their colours.
for _name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE"):
    os.environ.pop(_name, None)

# A deadline would measure how busy the machine is.
settings.register_profile("ftui", deadline=None, max_examples=60)
settings.load_profile("ftui")

# Under nohup, or behind a shell's `&`, these are ignored, in every program that a test starts, too.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
