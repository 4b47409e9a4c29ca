"""Rules as rows of a table: keys that exclude each other, and keys that need another one.

Most of what axolotl refuses is "not this together with that". A row says when, in a few words:

    warmup_steps          the key has a value that counts as true
    !max_steps            it has none, or one that counts as false
    fp8_config?           it has any value
    !fp8_config?          it has none
    rl=dpo|kto            its value is one of these
    eval_strategy!=steps  its value is another one; no value is another one too
    context_parallel_size>1

All words of a row must hold. Places are written with dots: `trl.use_vllm`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ftui.config.edit import Drop, Edit, Put
from ftui.config.rules.rule import Finding, Rule, Subject, error
from ftui.plan.places import steps

_WORD = re.compile(
    r"(?P<no>!?)(?P<place>[a-z0-9_.]+)(?P<any>\??)(?:(?P<sign>!?=|>)(?P<value>\S+))?"
)


@dataclass(frozen=True)
class Row:
    """A refusal: the key that a person has to change, when, why, and what to do."""

    place: str
    when: str
    message: str
    hint: str
    since: tuple[int, int] = (0, 0)
    """The first version of axolotl that refuses it."""
    before: tuple[int, int] = (999, 0)
    """The first version of axolotl that takes it."""
    edits: tuple[Edit, ...] = ()
    """What mends it, where there is one way only."""


def refuses(rows: Sequence[Row], *, parsed: bool = False) -> Rule:
    """A rule out of rows. `parsed`: axolotl looks once the text "no" has become false."""
    conditions = [(row, [_condition(word) for word in row.when.split()]) for row in rows]

    def rule(subject: Subject) -> Iterator[Finding]:
        for row, words in conditions:
            current = row.since <= subject.axolotl < row.before
            if current and all(word.holds(subject, parsed) for word in words):
                yield error(row.place, row.message, row.hint, *row.edits)

    return rule


@dataclass(frozen=True)
class _Condition:
    place: str
    no: bool
    any: bool
    sign: str
    value: str

    def holds(self, subject: Subject, parsed: bool) -> bool:
        if not self.sign:
            there = _there if self.any else (_on if parsed else _raw)
            return there(subject, self.place) is not self.no
        if self.sign == ">":
            return (subject.number(self.place) or 0) > float(self.value)
        same = written(subject.get(self.place)) in self.value.split("|")
        return same is (self.sign == "=")


def _condition(word: str) -> _Condition:
    found = _WORD.fullmatch(word)
    if found is None:
        raise ValueError(f"no condition: {word}")
    return _Condition(
        found["place"], bool(found["no"]), bool(found["any"]), found["sign"] or "", found["value"]
    )


def _there(subject: Subject, place: str) -> bool:
    return subject.has(place)


def _on(subject: Subject, place: str) -> bool:
    return subject.on(place)


def _raw(subject: Subject, place: str) -> bool:
    return bool(subject.get(place))


def drop(place: str) -> tuple[Edit, ...]:
    """The edit that takes out the key at a dotted place."""
    return (Drop(steps(place)),)


def put(place: str, value: Any) -> tuple[Edit, ...]:
    """The edit that sets the value at a dotted place."""
    return (Put(steps(place), value),)


def written(value: Any) -> str:
    """A value as it is written in a config."""
    return str(value).lower() if isinstance(value, bool) else str(value)
