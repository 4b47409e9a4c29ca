"""Bring a config of an older axolotl, or of another tool, to what is written today."""

from __future__ import annotations

from collections.abc import Sequence

from ftui.config.edit import Edit
from ftui.config.edit_text import apply_edits
from ftui.config.lint import check
from ftui.plan.hardware import Gpu
from ftui.plan.yaml_source import YamlProblem

_ROUNDS = 8
"""More than any chain of renamings needs; what is not still by then will not be."""


def modernise(text: str, *, axolotl: str | None = None, gpus: Sequence[Gpu] | None = None) -> str:
    """The text with every edit made that an issue knows; comments and other lines stay.

    Doing it twice changes nothing more. A text that is no config comes back as it is.
    `axolotl` is the version that will run it (None: the newest known), and `gpus` what it will
    train on (None: nobody knows).
    """
    for _ in range(_ROUNDS):
        edits = [edit for issue in check(text, axolotl=axolotl, gpus=gpus) for edit in issue.edits]
        mended = _apply(text, edits)
        if mended == text:
            break
        text = mended
    return text


def _apply(text: str, edits: Sequence[Edit]) -> str:
    try:
        return apply_edits(text, edits) if edits else text
    except YamlProblem:
        return text
