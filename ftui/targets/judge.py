"""What ftui itself has against the config of a plan, judged for the target's GPUs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ftui.config.fix import modernise
from ftui.config.issue import Issue
from ftui.config.lint import check
from ftui.config.needs import needs
from ftui.errors import RuntimeMissing
from ftui.plan.hardware import Gpu
from ftui.runtimes.find import Kind, axolotl_version, find


def judge(text: str, gpus: Sequence[Gpu] | None) -> list[Issue]:
    """The schema's and the rules' issues with a text that is to run on `gpus`, and ftui's own.

    None for GPUs means that the target lacks them: then nothing is said about hardware. Paths in
    the config are looked for from the current folder.
    """
    return [*check(text, axolotl=_version(), gpus=gpus, folder=Path.cwd()), *needs(text)]


def mend(text: str, gpus: Sequence[Gpu] | None) -> str:
    """The text as it is written today, where there is one way to write it."""
    return modernise(text, axolotl=_version(), gpus=gpus)


def _version() -> str | None:
    """The axolotl that will train; None when there is none yet."""
    try:
        runtime = find(Kind.TRAIN)
    except RuntimeMissing:  # a named Python that is not there: the launch says so
        return None
    return axolotl_version(runtime) if runtime else None
