"""Programs that are bound by a file's permissions, even where the tests run as root."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Sequence

_PR_CAPBSET_DROP = 24
_OVERRIDES = (1, 2)
"""CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH: root reads and writes whatever the permissions say."""


def ftui(*line: str, variables: Sequence[tuple[str, str]] = ()) -> subprocess.CompletedProcess[str]:
    """Run ftui as somebody to whom permissions apply."""
    return subprocess.run(
        [sys.executable, "-c", "from ftui.cli import main; main()", *line],
        preexec_fn=_bound,
        capture_output=True,
        text=True,
        env=os.environ | dict(variables),
        stdin=subprocess.DEVNULL,
        timeout=120,
        check=False,
    )


def _bound() -> None:
    if os.geteuid() == 0:
        prctl = ctypes.CDLL(None, use_errno=True).prctl
        for capability in _OVERRIDES:
            prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
