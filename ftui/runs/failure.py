"""Why a run ended badly, in one line; all that is known of it is in ftui.runs.failures."""

from __future__ import annotations

from ftui.runs.model import Run


def failure_words(run: Run) -> str:
    """One line for people: why this run ended badly, and what to do. Never empty.

    What knows the failures is loaded only when one is asked about: every start of ftui comes by
    here.
    """
    from ftui.runs.failures import diagnose

    return diagnose(run).words
