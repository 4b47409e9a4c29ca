"""Rules: what is wrong with a config beyond its shape. A module a subject, each with its RULES."""

from __future__ import annotations

from collections.abc import Iterator

from ftui.config.rules import outdated, refused, silent
from ftui.config.rules.rule import Finding, Rule, Subject

RULES: tuple[Rule, ...] = (*outdated.RULES, *refused.RULES, *silent.RULES)
"""Every rule there is."""


def judge(subject: Subject) -> Iterator[Finding]:
    """What the rules have against a config."""
    for rule in RULES:
        yield from rule(subject)
