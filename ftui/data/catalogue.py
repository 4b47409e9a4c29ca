"""The dataset types of axolotl: which columns each reads.

Columns as axolotl 0.19 and 0.21 read them (axolotl/prompt_strategies; each type was run with the
rows of tests/e2e/test_masks.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ftui.data import parts
from ftui.data.formats import Format, Lacking, Part, chat
from ftui.data.parts import Holds, Misfit


def _plain(
    name: str,
    words: str,
    *columns: str,
    maybe: Sequence[str] = (),
    learnt: str,
    passed_over: Sequence[str] = (),
    stops: Sequence[str] = (),
) -> Format:
    """A type whose columns are text. `passed_over` and `stops` are those without a value."""

    def lacking(column: str) -> Lacking:
        if column in stops:
            return Lacking.STOPS
        if column in (*maybe, *passed_over):
            return Lacking.PASSED_OVER
        return Lacking.NOT_LEARNT if column == learnt else Lacking.SAID

    needed = [Part(one, parts.text, one == learnt, lacking(one)) for one in columns]
    others = [Part(one, parts.text_or_nothing, lacking=lacking(one)) for one in maybe]
    return Format(name, words, (*needed, *others))


CHATS = tuple(
    chat(column, role, content)
    for column in ("messages", "conversations", "conversation", "turns", "dialogue", "chat")
    for role, content in (("role", "content"), ("from", "value"), ("role", "value"))
)
"""The names that conversations come under."""

SFT: tuple[Format, ...] = (
    *CHATS,
    Format(
        "input_output",
        "each row has segments: pieces of text, each marked as learnt or not",
        (Part("segments", parts.segments, learnt=True),),
    ),
    Format(
        "tokenized",
        "each row has token ids and labels",
        (
            Part("input_ids", parts.numbers),
            Part("attention_mask", parts.numbers),
            Part("labels", parts.numbers, learnt=True),
        ),
        entry={},
    ),
    Format(
        "reflection",
        "each row has an instruction, an output, a reflection and a corrected output",
        (
            Part("instruction", parts.text, lacking=Lacking.SAID),
            Part("output", parts.text, lacking=Lacking.NOT_LEARNT),
            Part("reflection", parts.text, lacking=Lacking.NOT_LEARNT),
            Part("corrected", parts.text, learnt=True, lacking=Lacking.NOT_LEARNT),
            Part("input", parts.text_or_nothing, lacking=Lacking.PASSED_OVER),
        ),
    ),
    _plain(
        "alpaca_w_system.load_open_orca",
        "each row has a system prompt, a question and a response",
        *("system_prompt", "question", "response"),
        passed_over=("system_prompt",),
        learnt="response",
    ),
    _plain(
        "alpaca_w_system",
        "each row has a system prompt, an instruction and an output",
        *("system", "instruction", "output"),
        maybe=("input",),
        passed_over=("system",),
        learnt="output",
    ),
    _plain(
        "alpaca",
        "each row has an instruction and an output",
        *("instruction", "output"),
        maybe=("input",),
        learnt="output",
    ),
    _plain(
        "gpteacher",
        "each row has an instruction and a response",
        *("instruction", "response"),
        maybe=("input",),
        learnt="response",
    ),
    _plain(
        "oasst",
        "each row has an INSTRUCTION and a RESPONSE",
        *("INSTRUCTION", "RESPONSE"),
        learnt="RESPONSE",
    ),
    _plain(
        "context_qa.load_v2",
        "each row has a context, a question and an answer",
        *("context", "question", "answer"),
        stops=("context", "question", "answer"),
        learnt="answer",
    ),
    _plain(
        "context_qa",
        "each row has an article, a question and an answer",
        *("article", "question", "answer"),
        stops=("article", "question"),
        learnt="answer",
    ),
    _plain(
        "jeopardy",
        "each row has a category, a question and an answer",
        *("category", "question", "answer"),
        passed_over=("category",),
        stops=("answer",),
        learnt="answer",
    ),
    Format(
        "explainchoice",
        "each row has a question, choices, a solution and an explanation",
        (
            Part("question", parts.text, lacking=Lacking.SAID),
            Part("choices", parts.texts),
            Part("solution", parts.text, learnt=True, lacking=Lacking.NOT_LEARNT),
            Part("explanation", parts.text, learnt=True, lacking=Lacking.NOT_LEARNT),
        ),
    ),
    _plain(
        "alpaca_chat.load_qa",
        "each row has a question and an answer",
        *("question", "answer"),
        learnt="answer",
    ),
    _plain(
        "alpaca_chat.load_camel_ai",
        "each row has message_1 and its answer message_2",
        *("message_1", "message_2"),
        learnt="message_2",
    ),
    _plain(
        "metharme",
        "each row has a prompt and a generation",
        *("prompt", "generation"),
        stops=("generation",),
        learnt="generation",
    ),
    _plain(
        "summarizetldr",
        "each row has an article and its summary",
        *("article", "summary"),
        learnt="summary",
    ),
    _plain("completion", "each row has a text", "text", learnt="text"),
)
"""The types of supervised fine-tuning, those with the more telling columns first."""

_TURNS = parts.turns("role", "content")
_ANSWER = parts.turn_or_text("role", "content")


def _text_or_turns(value: Any) -> Misfit | None:
    return _TURNS(value) if type(value) is list else parts.text(value)


def _pair(holds: Holds, lacking: Lacking = Lacking.STOPS) -> tuple[Part, Part]:
    return Part("chosen", holds, True, lacking), Part("rejected", holds, False, lacking)


def _asked(name: str, column: str) -> Format:
    """A chosen and a rejected answer to what one column asks, with a system prompt."""
    asked = _texts_of("system", column)
    words = f"each row has a system prompt, a {column}, a chosen and a rejected answer"
    return Format(name, words, (*asked, *_pair(parts.text, Lacking.SAID)), "dpo")


def _texts_of(*columns: str) -> tuple[Part, ...]:
    """Columns of text around which a chat template is written; a system prompt may be empty."""
    return tuple(
        Part(
            column,
            parts.text,
            lacking=Lacking.PASSED_OVER if column == "system" else Lacking.SAID,
        )
        for column in columns
    )


def _judged(name: str, *columns: str, holds: Holds = parts.text) -> Format:
    """An answer, and whether it is a good one."""
    lacking = Lacking.SAID if holds is parts.text else Lacking.STOPS
    answer = (Part("completion", holds, True, lacking), Part("label", parts.flag))
    words = f"each row has {' and '.join((*columns, 'a completion'))}, and a label: good or not"
    return Format(name, words, (*_texts_of(*columns), *answer), "kto")


def preferences(family: str) -> tuple[Format, ...]:
    """The types of preference training; `family` is the chat template of those that name one:
    chatml or llama3. The others take the template of the config."""
    prompt = Format(
        "chat_template.default",
        "each row has a prompt, a chosen and a rejected answer",
        (Part("prompt", _text_or_turns), *_pair(_ANSWER)),
        "dpo",
        {"type": "chat_template.default", "field_messages": "prompt"},
    )
    return (
        Format(
            "chat_template.default",
            "each row has messages, a chosen and a rejected answer to them",
            (Part("messages", _text_or_turns), *_pair(_ANSWER)),
            "dpo",
        ),
        _asked(f"{family}.intel", "question"),
        _asked(f"{family}.icr", "input"),
        _asked(f"{family}.prompt_pairs", "prompt"),
        prompt,
        Format(
            "chat_template.argilla_chat",
            "each row has a chosen and a rejected conversation",
            _pair(_TURNS),
            "dpo",
        ),
        Format(
            "chat_template.argilla",
            "each row has a chosen and a rejected conversation",
            _pair(_TURNS),
            "orpo",
        ),
        _judged(f"{family}.prompt_pairs", "system", "prompt"),
        _judged(f"{family}.intel", "system", "question"),
        _judged(f"{family}.argilla", "system", "instruction"),
        _judged(f"{family}.argilla_chat", holds=_TURNS),
        Format(
            "none",
            "each row has a prompt, a completion, and a label: good or not",
            (
                Part("prompt", parts.text),
                Part("completion", parts.text, learnt=True),
                Part("label", parts.flag),
            ),
            "kto",
            {},
        ),
        Format(
            "stepwise_supervised",
            "each row has a prompt, the steps of an answer, and a label for each",
            (
                Part("prompt", parts.text),
                Part("completions", parts.texts, learnt=True),
                Part("labels", parts.anything),
            ),
            "process_reward",
        ),
    )
