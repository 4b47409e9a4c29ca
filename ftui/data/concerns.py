"""What speaks against training on a dataset as it is: nothing learnt, no end learnt, too few steps.

Thresholds are rules of thumb; each concern says the figure that it stands on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ftui.data.tokens import Lengths, Tokens, fate_words
from ftui.text import counted

_LEAST_SHARE = 0.05
_LEAST_STEPS = 20
_MOST_ENDLESS = 0.05
"""The share of rows that may end without an end token, for example long ones that were cut."""


@dataclass(frozen=True)
class Concern:
    """Something to think about before it is paid for; `blocks` = a run would be for nothing."""

    message: str
    hint: str
    blocks: bool = False


def concerns(tokens: Tokens) -> tuple[Concern, ...]:
    """Everything that speaks against it, what blocks first."""
    found = [
        *_of_rows(tokens),
        *_of_learning(tokens),
        *_of_template(tokens),
        *_of_ends(tokens),
        *_of_steps(tokens),
    ]
    return tuple(sorted(found, key=lambda concern: not concern.blocks))


def _of_rows(tokens: Tokens) -> Iterator[Concern]:
    for error in tokens.errors[:1]:
        count = tokens.rows.fates.get("failed", len(tokens.errors))
        yield Concern(
            f"axolotl stops at {count:,} of the rows: row {error.row + 1}: {error.message}",
            "mend or remove such rows",
            blocks=True,
        )
    if not tokens.rows.train:
        why = ", ".join(f"{n:,} {fate_words(fate)}" for fate, n in tokens.rows.dropped.items())
        yield Concern(f"no row is left to train on: {why or 'there are none'}", "", blocks=True)
    yield from _of_lengths(tokens.lengths)


def _of_lengths(lengths: Lengths) -> Iterator[Concern]:
    over, rows = lengths.over_length, sum(count for _, count in lengths.histogram)
    if not over:
        return
    share = 100 * over / max(rows, over)
    hint = f"sequence_len: {lengths.fitting_length} holds 99 % of the rows"
    if share <= 1:  # as the one that is set does
        hint = f"the longest has {lengths.longest:,} tokens"
    yield Concern(
        f"{over:,} {'row' if over == 1 else 'rows'} ({share:.1f} %) "
        f"{'is' if over == 1 else 'are'} longer than sequence_len, and dropped or cut",
        hint,
    )


def _of_learning(tokens: Tokens) -> Iterator[Concern]:
    lengths = tokens.lengths
    if tokens.rows.train and not lengths.supervised:
        yield Concern(
            "nothing is learnt: every token is only read",
            "the roles, or the columns, are not what the dataset's type expects",
            blocks=True,
        )
    elif lengths.total and lengths.share < _LEAST_SHARE:
        yield Concern(
            f"only {100 * lengths.share:.1f} % of the tokens are learnt",
            "the answers are short beside what is asked; train_on_inputs learns both",
        )


def _of_template(tokens: Tokens) -> Iterator[Concern]:
    """A template whose markers the model does not know, or that is not the one it was taught.

    What the model's own template takes apart (OLMo 2's <|user|> is no token) was learnt so.
    """
    template = tokens.template
    foreign = [marker for marker in template.split if marker not in template.own]
    if foreign:
        pieces = template.split[foreign[0]]
        yield Concern(
            f"the chat template is not of this model: {foreign[0]} is no token to it, but "
            f"{pieces} pieces of text",
            "chat_template: tokenizer_default takes the model's own"
            if template.own
            else "take the template that its instruct model has, or a base model that knows this",
        )
    elif template.prompts and template.own and not set(template.own) & set(template.used):
        yield Concern(
            f"the model was taught to answer after {' and '.join(template.own[:2])}, and these "
            "rows are written without: a chat asks otherwise than the lesson",
            "chat_template: tokenizer_default, and rows of the type chat_template "
            "(ftui data FILE --convert chat_template)",
        )


def _of_ends(tokens: Tokens) -> Iterator[Concern]:
    ends, tokenizer = tokens.endings, tokens.tokenizer
    endless = ends.rows - ends.with_end
    if ends.rows and endless > _MOST_ENDLESS * ends.rows:
        yield Concern(
            f"{endless:,} of {ends.rows:,} rows do not end in a token that ends a turn",
            "the model will not learn to stop: name its end in eot_tokens, or check the template",
        )
    if tokenizer.pad is not None and tokenizer.pad == tokenizer.eos:
        yield Concern(
            f"the padding token is the end token, {tokenizer.eos}",
            "give it another one: `special_tokens: {pad_token: …}`",
        )


def _of_steps(tokens: Tokens) -> Iterator[Concern]:
    receipt = tokens.receipt
    if not tokens.rows.train:
        return
    if receipt.warmup_steps >= receipt.steps:
        yield Concern(
            f"the warm-up of {receipt.warmup_steps:,} steps is as long as the run of "
            f"{receipt.steps:,}: the learning rate never reaches what it should",
            "fewer warmup_steps, or more epochs",
        )
    if receipt.steps < _LEAST_STEPS:
        yield Concern(
            f"the run has only {counted(receipt.steps, 'step')}",
            "more epochs, a smaller batch, or more rows",
        )
