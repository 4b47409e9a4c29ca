"""Check an axolotl config: what its schema says of its shape, what the rules say of its sense."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ftui.config import schema, shape
from ftui.config.edit import Drop, Put, changed
from ftui.config.issue import Issue
from ftui.config.rules import judge
from ftui.config.rules.outdated import renamed
from ftui.config.rules.rule import Finding, Subject, error
from ftui.plan.hardware import Gpu
from ftui.plan.yaml_source import Source, YamlProblem, mapping


def check(
    text: str,
    *,
    axolotl: str | None = None,
    gpus: Sequence[Gpu] | None = None,
    folder: Path | None = None,
) -> list[Issue]:
    """Everything that is wrong with a config's text, in the order of its lines. Empty = nothing.

    `axolotl` is the version that will run it (None: the newest known). `gpus` are those that will
    train, empty for a CPU; None leaves the hardware out. `folder` is where relative paths in the
    config begin; None leaves files out.
    """
    try:
        source = mapping(text)
    except YamlProblem as problem:
        return [Issue("error", "", problem.line, problem.message)]
    known_gpus = None if gpus is None else tuple(gpus)
    subject = Subject(source.data, schema.known(axolotl), known_gpus, folder)
    findings = [*_twice(source), *_told_once(subject)]
    issues = [_issue(finding, source) for finding in findings]
    return sorted(issues, key=lambda issue: (issue.line, issue.path))


def _twice(source: Source) -> Iterator[Finding]:
    for place in source.duplicates:
        yield error(place, "this key is given twice; only the last one counts")


def _told_once(subject: Subject) -> Iterator[Finding]:
    """The rules' findings, and the schema's where no rule says it better.

    A rule's error speaks for all that is inside its place; its warning only says better what an
    unknown key is.
    """
    told = [_softened(finding, subject) for finding in judge(subject)]
    yield from told
    yield from _inside_what_is_mended(told, subject)
    wrong = {finding.place for finding in told if finding.severity == "error"}
    warned = {finding.place for finding in told if finding.severity == "warning"}
    for finding in shape.check(subject.config, subject.version):
        if _comes_with_a_new_name(finding, subject):
            continue
        around = (finding.place[:depth] for depth in range(1, len(finding.place) + 1))
        if wrong.isdisjoint(around) and not (finding.unknown_key and finding.place in warned):
            yield finding


def _inside_what_is_mended(told: Sequence[Finding], subject: Subject) -> Iterator[Finding]:
    """What is wrong inside a mapping that belongs into a list: `pretraining_dataset: {pth: x}`."""
    for each in told:
        old = subject.get(".".join(each.place))
        if isinstance(old, Mapping) and each.edits == (Put(each.place, [old]),):
            depth, mended = len(each.place), changed(subject.config, each.place, each.edits[0])
            for finding in shape.check(mended, subject.version):
                if finding.place[:depth] == each.place and len(finding.place) > depth + 1:
                    place = each.place + finding.place[depth + 1 :]
                    yield dataclasses.replace(finding, place=place)


def _comes_with_a_new_name(finding: Finding, subject: Subject) -> bool:
    """Whether a key is missing only until its old name is mended."""
    key, absent = finding.place[0], finding.place[0] not in subject.config
    return absent and not renamed.is_missing(subject, key)


def _softened(finding: Finding, subject: Subject) -> Finding:
    """An old key that is there without a value takes nothing away from the run."""
    empty = subject.get(".".join(finding.place), finding) is None
    if finding.severity == "error" and empty and finding.edits == (Drop(finding.place),):
        return dataclasses.replace(finding, severity="warning")
    return finding


def _issue(finding: Finding, source: Source) -> Issue:
    return Issue(
        finding.severity,
        ".".join(finding.place),
        source.line(finding.place),
        finding.message,
        finding.hint,
        finding.edits,
    )
