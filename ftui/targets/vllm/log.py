"""Reads vLLM's log: how far it has come, and the one line that says why it failed.

The last lines of the log of a failed start are leak warnings; the reason is the last line that
begins as an exception does.
"""

from __future__ import annotations

import re
from pathlib import Path

_LOADING = re.compile(r"Starting to load model|Loading safetensors|Loading weights")
_REASON = re.compile(
    r"^(?:\(.*?pid=\d+\)\s+)?"  # which process
    r"(?:ERROR [^\]]*\]\s+)?"  # the logger's own words
    r"(?P<words>(?:[\w.]*(?:Error|Exception)\b|\s*Value error,|[\w. ]+: error:).*)"
)
_GATED = r"gated repo|restricted|401 Client Error"
_HINTS = (
    ("Address already in use", "another program has taken the port: try again"),
    (
        r"out of memory|[Nn]o available memory|less than (desired|requested)",
        "free memory: see what else is running, or serve it on a larger machine",
    ),
    (
        _GATED,
        "accept the model's licence on the hub, then log in: hf auth login",
    ),
)
_LONGEST = 400
"""Characters of a reason that a person is shown."""


def read(log_file: Path) -> str:
    """What the log holds so far; empty when there is none."""
    try:
        return log_file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def is_loading(log: str) -> bool:
    """Whether vLLM has begun to load the weights, about half of the way to readiness."""
    return _LOADING.search(log) is not None


def reason(log: str) -> str:
    """Why vLLM failed, as its log has it, or an empty string."""
    reasons = [match["words"] for line in log.splitlines() if (match := _REASON.match(line))]
    # What another process only passes on says less than what it passes on.
    own = [words for words in reasons if "Engine core initialization failed" not in words]
    return (own or reasons or [""])[-1].strip()[:_LONGEST]


def is_refused_by_hub(log: str) -> str:
    """The reason, where it is that the hub gives the model not to everybody; else empty."""
    why = reason(log)
    return why if re.search(_GATED, why) else ""


def hint(reason: str) -> str:
    """What helps against a reason that is known, or an empty string."""
    return next((hint for pattern, hint in _HINTS if re.search(pattern, reason)), "")
