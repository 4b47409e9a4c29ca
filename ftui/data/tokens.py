"""What axolotl makes of a dataset: tokens, what is learnt of them, which rows it drops, the steps.

The train runtime counts (ftui/runtimes/dataset_worker.py); here is its answer as plain data.
A dataset is told by its number: the items of `datasets` first, then those of `test_datasets`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NewType

from ftui.data.declared import Malformed, of_kind

__all__ = [
    "IGNORED",
    "Dropped",
    "Endings",
    "Failed",
    "Label",
    "Lengths",
    "Malformed",
    "Part",
    "Receipt",
    "RowError",
    "Rows",
    "Shown",
    "Template",
    "Tokenizer",
    "Tokens",
    "fate_words",
    "parse",
    "parse_failed",
]

IGNORED = -100
"""The label of a token that is read but not learnt."""
_FATES = {
    "train": "trained on",
    "held_out": "held out for evaluation",
    "too_long": "longer than sequence_len",
    "too_short": "shorter than two tokens, or than min_sample_len",
    "nothing_supervised": "nothing in it to learn",
    "no_tokens": "no tokens in it",
    "duplicate": "the same as an earlier row",
    "failed": "axolotl stops at it",
    "left_out": "left out by axolotl",
}
Label = NewType("Label", int)
"""A token to learn, or IGNORED."""


def fate_words(fate: str) -> str:
    """A fate in words."""
    return _FATES.get(fate, fate.replace("_", " "))


@dataclass(frozen=True)
class Tokenizer:
    """The tokenizer with the special tokens that the config gives it."""

    name: str = field(metadata={"name": "class"})
    """Its class."""
    size: int
    """Tokens that it knows."""
    bos: str | None
    eos: str | None
    pad: str | None
    eos_id: int | None
    pad_id: int | None


@dataclass(frozen=True)
class Template:
    """The turn markers, such as <|im_start|>, of the model and of the rows that are trained.

    Without the tokens that begin, end and fill up every text.
    """

    own: tuple[str, ...] = ()
    """Of the chat template that the tokenizer came with."""
    used: tuple[str, ...] = ()
    """Those that every shown row has."""
    split: Mapping[str, int] = field(default_factory=dict)
    """Those of them that are no token, with the number of tokens that they are taken apart into."""
    prompts: bool = False
    """Whether a template or a prompt is put around all rows; else they are the whole text."""


@dataclass(frozen=True)
class Rows:
    """Rows by what becomes of them. A row of `completion` may become several."""

    read: int
    """Rows in the files, as far as the config asks for them."""
    train: int
    held_out: int
    fates: Mapping[str, int]
    """Every fate; the sum is `read`, but for rows that become several."""

    def __post_init__(self) -> None:
        """Raise Malformed for counts that contradict each other."""
        told = (self.fates.get("train", 0), self.fates.get("held_out", 0))
        if told != (self.train, self.held_out):
            raise Malformed("its counts of rows contradict each other")

    @property
    def dropped(self) -> Mapping[str, int]:
        """The fates of the rows that are neither trained on nor held out."""
        kept = ("train", "held_out")
        return {fate: count for fate, count in self.fates.items() if fate not in kept}


@dataclass(frozen=True)
class Lengths:
    """Tokens of the rows of `datasets`.

    Of preference data, the length of a row is its prompt and the longer of its answers; `total`
    has the prompt twice, since the model reads it once with each answer.
    """

    total: int
    """Tokens that the model reads in an epoch, without padding."""
    supervised: int
    """Tokens that it learns in an epoch."""
    longest: int
    """Tokens of the longest row, before any is dropped or cut; so are the figures below."""
    percentiles: Mapping[int, int]
    """50, 90, 95, 99: tokens that so many percent of the rows don't exceed."""
    histogram: tuple[tuple[int, int], ...]
    """Buckets: their upper bound in tokens, and the rows in them."""
    over_length: int
    """Rows that are longer than sequence_len."""
    fitting_length: int
    """The smallest multiple of 64 that holds 99 % of the rows."""

    @property
    def share(self) -> float:
        """The share of the tokens that is learnt, 0 to 1."""
        return self.supervised / self.total if self.total else 0.0


@dataclass(frozen=True)
class Endings:
    """Whether the model learns to stop: of `rows` that teach anything, `with_end` end in an end."""

    rows: int
    with_end: int


@dataclass(frozen=True)
class Dropped:
    """A row that is neither trained on nor held out. Rows count from 0."""

    dataset: int
    row: int
    fate: str
    tokens: int
    error: str = ""


@dataclass(frozen=True)
class RowError:
    """A row at which axolotl would stop. Rows count from 0."""

    dataset: int
    row: int
    message: str


@dataclass(frozen=True)
class Part:
    """One text of a row: all of it, or of preference data the prompt, an answer, the other one."""

    name: str
    ids: tuple[int, ...]
    labels: tuple[Label, ...]
    texts: tuple[str, ...]
    """Joined they are the text; a token inside a character has none."""
    ends: tuple[int, ...]
    """The places of tokens that end a turn or the text."""
    more: int = 0
    """Tokens that come after these, of a text that is too long to be shown."""
    more_learnt: int = 0
    """How many of those are learnt."""

    def __post_init__(self) -> None:
        """Raise Malformed unless every token has its label and its text."""
        if not len(self.ids) == len(self.labels) == len(self.texts) > max(self.ends, default=-1):
            raise Malformed("a row has not one text and one label a token")

    @property
    def size(self) -> int:
        """How many tokens it has."""
        return len(self.ids) + self.more

    @property
    def learnt(self) -> int:
        """How many of its tokens are learnt."""
        return sum(label != IGNORED for label in self.labels) + self.more_learnt


@dataclass(frozen=True)
class Shown:
    """A row as the trainer gets it. Rows count from 0."""

    dataset: int
    row: int
    fate: str
    parts: tuple[Part, ...]
    label: bool | None = None
    """Of rated answers: whether it is a good one."""


@dataclass(frozen=True)
class Receipt:
    """What a training with this config does, before it starts."""

    packed: bool
    micro_batch_size: int
    gradient_accumulation_steps: int
    world: int
    """Processes that train, one a GPU."""
    batches_per_epoch: int
    """Of one process."""
    steps_per_epoch: int
    steps: int
    steps_range: tuple[int, int]
    """axolotl packs rows in an order by chance: the fewest and the most steps that were seen."""
    epochs: float
    warmup_steps: int
    evals: int
    """Evaluations, the one before the first step included."""
    checkpoints: int
    """Checkpoints that are written."""
    checkpoints_kept: int
    """Checkpoints that are there at the end."""
    eval_steps: int | None = None
    """Steps from one evaluation to the next; None where epochs decide, or without any."""
    save_steps: int | None = None
    packing_efficiency: float | None = None
    """The share of a packed batch that is no padding, 0 to 1, as axolotl estimates it."""


@dataclass(frozen=True)
class Tokens:
    """Everything that axolotl makes of the data of a config."""

    axolotl: str
    tokenizer: Tokenizer
    rows: Rows
    lengths: Lengths = field(metadata={"name": "tokens"})
    endings: Endings
    dropped: tuple[Dropped, ...]
    """The first of them."""
    shown: tuple[Shown, ...]
    """The first rows of every dataset."""
    receipt: Receipt
    errors: tuple[RowError, ...]
    """The first of them; `rows.fates` has the number."""
    log: tuple[str, ...]
    """Warnings of axolotl's."""
    template: Template = Template()


@dataclass(frozen=True)
class Failed:
    """Why there is nothing to count."""

    stage: str
    """config, tokenizer, dataset, template, streaming or rl."""
    message: str
    type: str
    """The class of what was raised."""
    path: str = ""
    """The dataset or the model that was being read."""
    log: tuple[str, ...] = ()
    """Warnings of axolotl's."""


def parse(answer: Mapping[str, Any]) -> Tokens:
    """The train runtime's answer. Raises Malformed when it is none."""
    read = of_kind(Tokens, answer)
    assert isinstance(read, Tokens)
    return read


def parse_failed(failed: Mapping[str, Any]) -> Failed:
    """Why the train runtime has no answer. Raises Malformed."""
    read = of_kind(Failed, failed)
    assert isinstance(read, Failed)
    return read
