"""What a person is asked where it is not certain what the rows of a dataset are.

Questions as data, like the steps: the TUI and the plain prompts ask the same ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ftui.data.dataset import Undecided
from ftui.data.formats import Format, columns_of_your_own
from ftui.plan.step import Option
from ftui.text import printable, shorten

_COLUMNS = "columns"
_NONE = "none"
_BRIEF, _LONG = 60, 300
"""Characters of an example beside a column's name, and of one that stands alone."""


@dataclass(frozen=True)
class Ask:
    """One question. The value of an option is the answer; `current` is the likeliest."""

    title: str
    question: str
    options: tuple[Option, ...]
    current: str


def following(undecided: Undecided, answers: Sequence[str]) -> Ask | Format:
    """The next question after these answers, or what they come to."""
    if undecided.formats and not answers:
        return _which(undecided)
    if undecided.formats and answers[0] != _COLUMNS:
        return undecided.formats[int(answers[0])]
    chosen = answers[1:] if undecided.formats else answers
    names = list(undecided.columns)
    left = [_column(undecided, each) for each in range(len(names)) if str(each) not in chosen]
    if len(chosen) == 0:
        question = "Which column is the question?"
        return Ask("Question", question, tuple(left), _likeliest(undecided, chosen)[0])
    if len(chosen) == 1:
        question = "Which column is the answer to learn?"
        return Ask("Answer", question, tuple(left), _likeliest(undecided, chosen)[-1])
    if len(chosen) == 2 and left:
        none = Option(_NONE, "none", "the question says it all")
        question = "Does another column go with the question, to be read but not learnt?"
        return Ask("Context", question, (none, *left), _NONE)
    return columns_of_your_own(*(names[int(each)] for each in chosen if each != _NONE))


def _likeliest(undecided: Undecided, chosen: Sequence[str]) -> list[str]:
    """Question and answer, as far as they are to be chosen: mostly the two longest texts."""
    texts = list(undecided.columns.items())
    left = [place for place in range(len(texts)) if str(place) not in chosen]

    def less_likely(place: int) -> tuple[bool, int]:
        name, text = texts[place]
        return name not in undecided.likely, -len(text)

    longest = sorted(left, key=less_likely)[: 2 - len(chosen)]
    return [str(place) for place in sorted(longest)]


def shown_of(undecided: Undecided, answers: Sequence[str]) -> list[tuple[bool, str]]:
    """What these answers would make of the first row: pieces of text, each learnt or only read."""
    if undecided.formats and answers and answers[0] != _COLUMNS:
        columns = [(part.learnt, part.column) for part in undecided.formats[int(answers[0])].parts]
    else:
        names = list(undecided.columns)
        chosen = [each for each in answers if each not in (_COLUMNS, _NONE)]
        columns = [(place == 1, names[int(each)]) for place, each in enumerate(chosen)]
        columns.sort(key=lambda each: each[0])
    examples = undecided.columns
    return [
        (learnt, _example(examples[name], _LONG)) for learnt, name in columns if name in examples
    ]


def _which(undecided: Undecided) -> Ask:
    named = [
        Option(str(number), _name(format), format.words)
        for number, format in enumerate(undecided.formats)
    ]
    other = Option(_COLUMNS, "other columns", "say which is asked, and which is the answer")
    return Ask("Rows", "What are these rows?", (*named, other), "0")


def _name(format: Format) -> str:
    return "question and answer" if format.name == "user_defined" else format.name


def _column(undecided: Undecided, place: int) -> Option:
    name = list(undecided.columns)[place]
    return Option(str(place), printable(name), _example(undecided.columns[name], _BRIEF))


def _example(text: str, width: int) -> str:
    return shorten(printable(text), width) or "(empty)"
