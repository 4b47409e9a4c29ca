"""What some rules say about a config's text, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ftui.config.rules.rule import Finding, Rule, Subject
from ftui.config.schema import NEWEST
from ftui.plan.hardware import Gpu
from ftui.plan.yaml_source import read


class Said(NamedTuple):
    """A finding as a person sees it."""

    severity: str
    path: str
    line: int
    message: str
    hint: str


def findings(
    rules: Sequence[Rule],
    text: str,
    *,
    axolotl: str = NEWEST,
    gpus: tuple[Gpu, ...] | None = None,
    folder: Path | None = None,
) -> list[Said]:
    """What the rules have against a config, in their order."""
    source = read(text)
    assert isinstance(source.data, dict)
    subject = Subject(source.data, axolotl, gpus, folder)

    def said(finding: Finding) -> Said:
        path, line = ".".join(finding.place), source.line(finding.place)
        return Said(finding.severity, path, line, finding.message, finding.hint)

    return [said(finding) for rule in rules for finding in rule(subject)]
