"""The receipt on the review: what the training will be, counted by axolotl before it starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from textual.content import Content
from textual.widgets import Static

from ftui.errors import FtuiError
from ftui.text import counted, printable
from ftui.tui import theme

if TYPE_CHECKING:
    from ftui.data.concerns import Concern
    from ftui.data.tokens import Receipt, Tokens


_NARROW = 74
"""Characters of a line beside the frame and the scroll bar on 80 columns."""


class ReceiptNote(Static):
    """Stands above the facts of the launch; takes no room while there is nothing to say."""

    def __init__(self, *, id: str) -> None:
        super().__init__("", id=id, markup=False)
        self.display = False
        self.blocks = ""
        """Why a run would be for nothing; empty where it would not."""
        self.tokens: Tokens | None = None
        """What was counted; None as long as nothing was."""

    def clear(self) -> None:
        """Nothing is known of the text that is there now."""
        self.blocks = ""
        self.tokens = None
        self.display = False

    def progress(self, told: Mapping[str, Any]) -> None:
        """Say how far the counting is: {"phase", "done", "total"}, total 0 = nobody knows."""
        from ftui.data.summary import progress_words

        self._tell([Content(f"{theme.WAITING} {progress_words(told)} …")])

    def fail(self, error: FtuiError) -> None:
        """Say why nothing could be counted."""
        lines = [f"{theme.WARNING} {error.what}", *filter(None, (error.why, error.hint))]
        self._tell([Content.styled(printable(line), "$secondary") for line in lines])

    def show(self, tokens: Tokens, text: str) -> None:
        """Show what was counted of the config in `text`, and what speaks against it."""
        from ftui.data.concerns import concerns

        found, told = concerns(tokens), figures(tokens, text)
        self.tokens = tokens
        self.blocks = next((each.message for each in found if each.blocks), "")
        rows = _side_by_side(told) if self._narrow else [*map(_row, told)]
        self._tell([*rows, *map(_concern, found)])

    @property
    def _narrow(self) -> bool:
        return self.screen.has_class("-narrow")

    def _tell(self, lines: list[Content]) -> None:
        self.display = True
        title = [] if self._narrow else [Content.styled("Receipt", "$secondary")]
        self.update(Content("\n").join([*title, *lines]))


def figures(tokens: Tokens, text: str) -> list[tuple[str, str]]:
    """What the training of the config in `text` will be: names and figures."""
    from ftui.data.tokens import fate_words

    rows, lengths = tokens.rows, tokens.lengths
    held = f", {rows.held_out:,} held out" if rows.held_out else ""
    dropped = [f"{count:,} {fate_words(fate)}" for fate, count in rows.dropped.items() if count]
    return [
        ("rows", f"{rows.train:,} trained on{held}"),
        *(("dropped", words) for words in dropped),
        ("learnt", f"{lengths.supervised:,} tokens of {lengths.total:,} ({lengths.share:.0%})"),
        *_steps(tokens.receipt),
        *_disk(tokens.receipt, text),
    ]


def _disk(receipt: Receipt, text: str) -> list[tuple[str, str]]:
    """What it writes; nothing where that isn't known."""
    from ftui.estimate.checkpoints import disk, size_words
    from ftui.plan.yaml_source import mapping

    needed = disk(mapping(text).data, receipt)
    return [("disk", f"{size_words(needed.peak)} at most")] if needed else []


def _steps(receipt: Receipt) -> list[tuple[str, str]]:
    packed = ", packed" if receipt.packed else ""
    each = f"{receipt.epochs:g} × {receipt.steps_per_epoch:,}{packed}"
    return [
        ("steps", f"{receipt.steps:,} ({each}), warm-up {receipt.warmup_steps:,}"),
        (
            "saved",
            f"{counted(receipt.checkpoints, 'checkpoint')}, {counted(receipt.evals, 'evaluation')}",
        ),
    ]


def _side_by_side(told: list[tuple[str, str]]) -> list[Content]:
    """The same with several to a line, where there are few lines."""
    lines: list[str] = []
    for name, figure in told:
        words = f"{name} {figure}"
        if lines and len(lines[-1]) + len(words) < _NARROW:
            lines[-1] += f" · {words}"
        else:
            lines.append(words)
    return [Content(line) for line in lines]


def _row(named: tuple[str, str]) -> Content:
    name, figure = named
    return Content.assemble((f"{name:<9}", "$secondary"), figure)


def _concern(concern: Concern) -> Content:
    glyph, style = (theme.FAILED, "$error") if concern.blocks else (theme.WARNING, "$warning")
    hint = f"\n  → {concern.hint}" if concern.hint else ""
    return Content.styled(printable(f"{glyph} {concern.message}{hint}"), style)
