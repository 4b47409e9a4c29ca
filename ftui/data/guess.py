"""Find out what a dataset is: which of axolotl's types reads its rows, how surely, and why."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ftui.data import parts
from ftui.data.catalogue import CHATS, SFT, preferences
from ftui.data.formats import Format, chat, columns_of_your_own

Surely = Literal["certain", "likely", "unsure"]

_KNOWN_ROLES = frozenset(("user", "human", "assistant", "gpt", "system", "tool"))
"""What axolotl's chat_template takes without a word (ChatTemplatePrompter.__init__)."""
_ROLES: Mapping[str, tuple[str, ...]] = {
    "user": ("prompter", "customer", "client", "person", "question", "instruction", "student"),
    "assistant": ("bot", "model", "chatbot", "ai", "agent", "answer", "response", "chatgpt", "llm"),
    "tool": ("function", "observation", "function_response", "tool_response", "ipython"),
    "system": ("developer",),
}
"""Other names of the roles, in small letters."""
_READS = {"ipo": "dpo", "simpo": "dpo"}
"""The kinds of training that read the types of another."""
_QUESTIONS = (
    *("prompt", "question", "instruction", "query", "input", "problem", "source", "request"),
    *("user", "human", "text", "sentence", "src"),
)
_ANSWERS = (
    *("response", "answer", "output", "completion", "target", "solution", "reply", "assistant"),
    *("label", "summary", "sql", "code", "translation", "tgt"),
)
_CONTEXTS = ("context", "passage", "document", "schema", "article", "background", "input")


@dataclass(frozen=True)
class Guess:
    """What a dataset was taken for, how surely, and why; `others` would read its rows too."""

    format: Format
    surely: Surely
    why: str
    others: tuple[Format, ...] = ()


def guess(
    rows: Sequence[Mapping[str, Any]], *, training: str = "", family: str = "chatml"
) -> Guess | None:
    """What some rows of a dataset are; None when no type of axolotl reads them as they are.

    `training` is the config's `rl`, or nothing for whatever fits, supervised fine-tuning first.
    `family` is the chat template of the types that name one: chatml or llama3.
    """
    fitting = [each for each in formats_for(training, family) if _share(rows, each) == 1.0]
    if not fitting:
        fitting = [each for each in formats_for(training, family) if _share(rows, each) >= 0.5]
    if fitting:
        return _judged(rows, fitting)
    rated = _rated(rows, family)
    if training == "kto" and rated is not None:
        return Guess(rated, "likely", rated.words)
    own = _own_columns(rows) if training in ("", "sft") else None
    if own is None:
        return None
    why = f"the names of the columns suggest it: {own.words}"
    if rated is not None:
        why += "; label is not read: it rates an answer where it is true or false (rl: kto)"
    return Guess(own, "unsure", why)


def pick(name: str, *, family: str = "chatml") -> Format | None:
    """The type of that name, with the columns that it has by itself."""
    return next(iter(named(name, family=family)), None)


def named(name: str, training: str = "", *, family: str = "chatml") -> tuple[Format, ...]:
    """The types of that name for a kind of training (the config's `rl`), or for any.

    axolotl gives one name to several, such as chatml.prompt_pairs to one of dpo and one of kto.
    """
    wanted = _READS.get(training, training)
    every = (*SFT, *preferences(family), *preferences("llama3"), *preferences("chatml"))
    return tuple(each for each in every if each.name == name and wanted in ("", each.training))


def formats_for(training: str, family: str = "chatml") -> Iterator[Format]:
    """The types for a kind of training (the config's `rl`, `sft`, or nothing for all of them)."""
    wanted = _READS.get(training, training)
    pairs = preferences("llama3" if family == "llama3" else "chatml")
    for each in (*pairs, *SFT):
        if not wanted or each.training == wanted:
            yield each


def _share(rows: Sequence[Mapping[str, Any]], format: Format) -> float:
    """How many of the rows a format reads, of all."""
    return sum(format.wrong(row) is None for row in rows) / len(rows) if rows else 0.0


def _judged(rows: Sequence[Mapping[str, Any]], fitting: Sequence[Format]) -> Guess:
    """The first that fits is meant; what else reads the rows makes it less certain."""
    first, *others = fitting
    if first in CHATS:
        first, others = with_roles(first, rows), []
    used = set(first.columns)
    rivals = tuple(each for each in others if not set(each.columns) <= used)
    sure = _share(rows, first) == 1.0 and not rivals and first.name != "completion"
    left = [column for column in rows[0] if column not in used and _is_text(rows, column)]
    if first.name == "completion" and left:
        return Guess(first, "unsure", f"{first.words}; not read: {', '.join(left)}", rivals)
    return Guess(first, "certain" if sure else "likely", first.words, rivals)


def _is_text(rows: Sequence[Mapping[str, Any]], column: str) -> bool:
    return all(type(row.get(column)) is str for row in rows)


def with_roles(format: Format, rows: Sequence[Mapping[str, Any]]) -> Format:
    """The chat format, with the roles of these rows that axolotl does not know by itself."""
    column, (role_key, content_key) = format.turns, format.turn_keys
    said: Counter[str] = Counter()
    for row in rows:
        for turn in _turns(row.get(column)):
            if type(turn) is dict and type(turn.get(role_key)) is str:
                said[turn[role_key]] += 1
    odd = sorted(set(said) - _KNOWN_ROLES)
    meant = {name: _role(name) for name in odd}
    if not odd or not all(meant.values()):
        return format
    roles = {
        "user": ["user", "human"],
        "assistant": ["assistant", "gpt"],
        "system": ["system"],
        "tool": ["tool"],
    }
    for name, role in meant.items():
        roles[role].append(name)
    return chat(column, role_key, content_key, roles)


def _rated(rows: Sequence[Mapping[str, Any]], family: str) -> Format | None:
    """The type of rated answers that the rows have, but for labels that are not true or false."""

    def only_labels(row: Mapping[str, Any], format: Format) -> bool:
        misfits = [part.column for part, _ in format.misfits(row)]
        return "label" in row and set(misfits) <= {"label"}

    fitting = (
        each for each in formats_for("kto", family) if all(only_labels(row, each) for row in rows)
    )
    return next(fitting, None) if rows else None


def _turns(value: Any) -> list[Any]:
    """The turns of a conversation, be it written as JSON text; none where it is no list."""
    with contextlib.suppress(ValueError, RecursionError):
        value = parts.unfolded(value)
    return value if type(value) is list else []


def _role(name: str) -> str:
    """The role that a name means; nothing for a name that nobody knows."""
    small = name.lower()
    standard = {"human": "user", "gpt": "assistant"}.get(small, small)
    if standard in _ROLES:
        return standard
    return next((role for role, names in _ROLES.items() if small in names), "")


def _own_columns(rows: Sequence[Mapping[str, Any]]) -> Format | None:
    """Two columns of text whose names say: a question, and its answer."""
    texts = [column for column in (rows[0] if rows else ()) if _is_text(rows, column)]
    small = {column.lower(): column for column in texts}
    question = next((small[name] for name in _QUESTIONS if name in small), None)
    answer = next(
        (small[name] for name in _ANSWERS if name in small and small[name] != question), None
    )
    if question is None or answer is None:
        return None
    context = next(
        (small[n] for n in _CONTEXTS if n in small and small[n] not in (question, answer)), ""
    )
    return columns_of_your_own(question, answer, context)


def text_columns(rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The columns that a person may choose from: those that are text in every row."""
    return tuple(column for column in (rows[0] if rows else ()) if _is_text(rows, column))


def kinds(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Each column of the rows, and what kind of value it holds in the first row that has one."""
    found: dict[str, str] = {}
    for row in rows:
        for column, value in row.items():
            if value is not None or column not in found:
                found[column] = parts.kind(value)
    return found
