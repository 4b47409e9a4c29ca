"""The numbers of a run: a one-line strip with sparklines, and a table with room for more."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from textual.content import Content
from textual.widget import Widget

from ftui.runs.events import Point
from ftui.runs.history import History
from ftui.runs.model import RunRecord
from ftui.text import printable, shorten
from ftui.tui.widgets.canvas import Glyphs
from ftui.tui.widgets.ticks import short

_LEVELS: Mapping[Glyphs, str] = {"braille": "▁▂▃▄▅▆▇█", "block": "▁▂▃▄▅▆▇█", "ascii": "_.-~=+*#"}

_KNOWN = (
    ("loss", "loss", ""),
    ("eval loss", "eval_loss", ""),
    ("learning rate", "learning_rate", ""),
    ("grad norm", "grad_norm", ""),
    ("tokens/s", "tokens/train_per_sec", ""),
    ("memory", "memory/", " GiB"),
)
"""Label, the start of axolotl's own name for the series, unit."""

IN_STRIP = ("learning rate", "grad norm", "tokens/s", "memory")


@dataclass(frozen=True)
class Reading:
    """One number as it is now, and how it came to be."""

    label: str
    points: Sequence[Point]
    unit: str = ""

    @property
    def now(self) -> str:
        """The newest value in words."""
        return short(self.points[-1].value) + self.unit


@dataclass
class Range:
    """The lowest and the highest value of a growing series; each point is looked at once."""

    points: Sequence[Point]
    low: float = math.nan
    high: float = math.nan
    _seen: int = 0

    def words(self) -> tuple[str, str]:
        """Both ends, with what is new taken in."""
        for point in self.points[self._seen :]:
            if math.isfinite(point.value):
                # A comparison with NaN is false: the first value is taken by both.
                self.low = self.low if self.low <= point.value else point.value
                self.high = self.high if self.high >= point.value else point.value
        self._seen = len(self.points)
        return short(self.low), short(self.high)


def readings(history: History) -> list[Reading]:
    """What the trainer reports, in a fixed order. Memory of 0 (no GPU) is not reported."""
    found = []
    for label, start, unit in _KNOWN:
        name = next((name for name in history.series if name.startswith(start)), "")
        points = history.series.get(name, [])
        if points and not (start == "memory/" and not points[-1].value):
            found.append(Reading(label, points, unit))
    return found


def sparkline(points: Sequence[Point], width: int, glyphs: Glyphs) -> str:
    """The whole series in `width` characters, newest last; blanks where it is not a number."""
    size = min(width, len(points))
    picked = [points[(place + 1) * len(points) // size - 1].value for place in range(size)]
    finite = [value for value in picked if math.isfinite(value)]
    if not finite:
        return ""
    levels = _LEVELS[glyphs]
    low, span = min(finite), max(finite) - min(finite)
    return "".join(
        levels[round((value - low) / span * (len(levels) - 1)) if span else len(levels) // 2]
        if math.isfinite(value)
        else " "
        for value in picked
    )


class NumbersStrip(Widget):
    """The numbers in one line; what has no room is left out from the right."""

    DEFAULT_CSS = "NumbersStrip { height: 1; }"

    glyphs: Glyphs = "braille"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._readings: list[Reading] = []

    def show(self, history: History) -> None:
        """Show the newest numbers."""
        self._readings = [one for one in readings(history) if one.label in IN_STRIP]
        self.refresh()

    def render(self) -> Content:
        """`learning rate 2.1e-3 ▁▃▇   grad norm 0.61 ▇▃▂   …`."""
        line = Content("")
        for reading in self._readings:
            part = Content.assemble(
                (reading.label + " ", "$secondary"),
                reading.now + " ",
                (sparkline(reading.points, 8, self.glyphs), "$accent"),
                "   ",
            )
            if line.cell_length + part.cell_length - 3 > self.size.width:
                break
            line += part
        return line


class NumbersTable(Widget):
    """Every number with its range, and what was asked of the run."""

    DEFAULT_CSS = "NumbersTable { height: auto; }"

    glyphs: Glyphs = "braille"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._readings: list[Reading] = []
        self._ranges: dict[str, Range] = {}
        self._facts: list[tuple[str, str]] = []

    def show(self, history: History, record: RunRecord | None) -> None:
        """Show the newest numbers and the run's settings."""
        self._readings = readings(history)
        self._facts = facts(record) if record else []
        for reading in self._readings:
            known = self._ranges.get(reading.label)
            if known is None or known.points is not reading.points:  # new, or of a resumed run
                self._ranges[reading.label] = Range(reading.points)
        self.refresh(layout=True)

    def render(self) -> Content:
        """Aligned columns; the sparkline takes the room that is left."""
        spark = min(max(self.size.width - 44, 8), 32)
        lines = []
        if self._readings:
            lines.append(
                Content.styled(f"{'':15}{'now':>9}{'lowest':>9}{'highest':>9}", "$secondary")
            )
        for reading in self._readings:
            low, high = self._ranges[reading.label].words()
            lines.append(
                Content.assemble(
                    (f"{reading.label:15}", "$secondary"),
                    f"{short(reading.points[-1].value):>9}",
                    (f"{low:>9}{high:>9}  ", "$secondary"),
                    (sparkline(reading.points, spark, self.glyphs), "$accent"),
                )
            )
        if self._facts:
            lines.append(Content(""))
        for label, value in self._facts:
            words = shorten(printable(value), max(self.size.width - 16, 10))
            lines.append(Content.assemble((f"{label:15} ", "$secondary"), words))
        return Content("\n").join(lines)


def facts(record: RunRecord) -> list[tuple[str, str]]:
    """What was asked of a run, as pairs of a label and words."""
    ask = record.settings
    pairs = [
        ("preset", record.preset),
        ("base model", _last_part(ask.get("base_model"))),
        ("dataset", _last_part(_first_dataset(ask))),
        ("method", _method(ask)),
        ("context", f"{ask['sequence_len']} tokens" if "sequence_len" in ask else ""),
        ("batch", _batch(ask)),
        ("started", datetime.fromtimestamp(record.created).strftime("%Y-%m-%d %H:%M")),
    ]
    return [(label, value) for label, value in pairs if value]


def _last_part(value: object) -> str:
    return str(value or "").rstrip("/").rpartition("/")[2]


def _first_dataset(ask: Mapping[str, Any]) -> object:
    datasets = ask.get("datasets")
    return datasets[0].get("path") if isinstance(datasets, list) and datasets else None


def _method(ask: Mapping[str, Any]) -> str:
    adapter = ask.get("adapter")
    if not adapter:
        return "full fine-tune"
    return f"{adapter} · rank {ask.get('lora_r')} · alpha {ask.get('lora_alpha')}"


def _batch(ask: Mapping[str, Any]) -> str:
    micro = ask.get("micro_batch_size")
    if not micro:
        return ""
    times = ask.get("gradient_accumulation_steps") or 1
    return f"{micro} rows × {times} accumulated" if times != 1 else f"{micro} rows"
