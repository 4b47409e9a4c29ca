"""What is known of a config's data: its rows, what is wrong with them, and what training makes of
them. As soon as a part is known it is shown."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from itertools import dropwhile
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from ftui.data.report import DROPPED, FATAL, asked_in_both
from ftui.text import printable
from ftui.tui import theme
from ftui.tui.widgets.receipt import figures

if TYPE_CHECKING:
    from ftui.data.entries import Look
    from ftui.data.judge import Reason
    from ftui.data.report import Complaint, Report
    from ftui.data.tokens import Lengths, Tokens
    from ftui.tui.app import Glyphs

_LABEL = 9
"""Columns of the upper bound before a bar, as of the names of figures."""
_LONGEST = 32
"""Columns of the longest bar: more would shout."""
_USELESS = "useless"
"""What is said of rows that axolotl may well train on, though there is nothing in them to learn."""
_COUNT = 8
"""Columns of the rows behind a bar."""
_BARS = {"braille": "█", "block": "█", "ascii": "#"}


class DataFigures(VerticalScroll):
    """Scrolls with the arrows, j and k."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", "down", show=False),
        Binding("k", "scroll_up", "up", show=False),
    ]

    def __init__(self, *, id: str) -> None:
        super().__init__(Static("", markup=False), id=id)
        self._looks: Sequence[Look] = ()
        self._tokens: Tokens | None = None
        self._text = self._reading = ""
        self.glyphs: Glyphs = "braille"

    def show(self, looks: Sequence[Look], tokens: Tokens | None, text: str, reading: str) -> None:
        """Show what is known of the data of the config in `text`.

        `reading` says what is still being found out, or nothing.
        """
        self._looks, self._tokens, self._text, self._reading = looks, tokens, text, reading
        self._draw()

    def on_resize(self) -> None:
        """Wrap anew."""
        self._draw()

    def _draw(self) -> None:
        width = max(self.scrollable_content_region.width - 1, 20)
        sections = list(_sections(self._looks, self._tokens, self._text, width, _BARS[self.glyphs]))
        if self._reading:
            sections.append([Content.styled(f"{theme.WAITING} {self._reading}", "$secondary")])
        drawn = (Content("\n").join(lines) for lines in sections if lines)
        self.query_one(Static).update(Content("\n\n").join(drawn))


def _sections(
    looks: Sequence[Look], tokens: Tokens | None, text: str, width: int, bar: str
) -> Iterator[list[Content]]:
    """What speaks against it first; then what is counted, and what is wrong with which row."""
    if tokens is not None:
        yield list(_concerns(tokens, width))
        yield [_title("What is trained"), *_named(figures(tokens, text), width)]
    for look in looks:
        yield [_title(f"Rows of {printable(Path(look.source).name)}"), *_look(look, width)]
    if tokens is not None:
        yield [_title("Rows by their length in tokens"), *_lengths(tokens.lengths, width, bar)]


def _title(words: str) -> Content:
    return Content.styled(words, "bold")


def _concerns(tokens: Tokens, width: int) -> Iterator[Content]:
    from ftui.data.concerns import concerns

    for each in concerns(tokens):
        glyph, style = (theme.FAILED, "$error") if each.blocks else (theme.WARNING, "$warning")
        yield from _hanging(glyph, each.message, each.hint, style, width)


def _named(pairs: Iterable[tuple[str, str]], width: int) -> Iterator[Content]:
    """Names and figures in two columns; a name that comes again is not said again."""
    before = ""
    for name, figure in pairs:
        label = "" if name == before else name
        first, *others = _wrap(figure, width - _LABEL, "", "") or [""]
        yield Content.assemble((f"{label:<{_LABEL}}", "$secondary"), first)
        yield from (Content(" " * _LABEL + other) for other in others)
        before = name


# ── Lengths ──────────────────────────────────────────────────────────────────────────────────────


def _lengths(lengths: Lengths, width: int, bar: str) -> Iterator[Content]:
    """A bar for each bucket, then what most rows fit into."""
    buckets = list(dropwhile(lambda bucket: not bucket[1], lengths.histogram))
    most = max((rows for _, rows in buckets), default=0)
    room = min(max(width - _LABEL - _COUNT, 4), _LONGEST)
    for bound, rows in buckets:
        drawn = bar * round(room * rows / most) or ("▏" if rows and bar != "#" else "")
        yield Content.assemble(
            (f"{f'≤ {bound:,}':>{_LABEL - 1}} ", "$secondary"),
            (drawn, "$accent 70%"),
            (f" {rows:,}" if rows else "", "$secondary"),
        )
    within = [(f"{share} %", f"within {count:,}") for share, count in lengths.percentiles.items()]
    yield from _named([*within, ("longest", f"{lengths.longest:,}")], width)


# ── Rows ─────────────────────────────────────────────────────────────────────────────────────────


def _look(look: Look, width: int) -> Iterator[Content]:
    if look.problem is not None:
        problem = look.problem
        yield from _hanging(theme.WARNING, str(problem), problem.hint, "$secondary", width)
    elif look.report is not None:
        yield from _named(_counts(look.report), width)
        if look.held_out is not None:
            yield from _met(look.report, look.held_out, width)
        yield from _complaints(look.report, width)


def _counts(report: Report) -> Iterator[tuple[str, str]]:
    useful = ", each teaches something" if not report.dropped else ""
    yield "rows", f"{report.rows:,} read{useful}"
    for reason, count in report.found.items():
        effect = _effect(reason)
        taught = f": {'teaches' if count == 1 else 'teach'} nothing" if effect == _USELESS else ""
        yield effect, f"{count:,} {reason.value}{taught}"
    yield "type", report.format.name
    if report.languages:
        yield "written", f"in {' and '.join(report.languages)}"
    if not report.knows_all:
        yield "note", f"duplicates were looked for in the first {len(report.marks):,} rows"


def _met(report: Report, held_out: Report, width: int) -> Iterator[Content]:
    """The rows that are held out and trained on."""
    asked = asked_in_both(report, held_out)
    if asked:
        asks = "row that is held out asks" if asked == 1 else "rows that are held out ask"
        words = f"{asked:,} {asks} what a row here asks: what they measure is memory"
        hint = "remove them from one of the two"
        yield from _hanging(theme.WARNING, words, hint, "$warning", width)


def _effect(reason: Reason) -> str:
    """What comes of such rows."""
    if reason in FATAL:
        return "stops at"
    return _USELESS if reason in DROPPED else "note"


def _complaints(report: Report, width: int) -> Iterator[Content]:
    """The first of each kind, and how many more there are; what to do is said once a kind."""
    hinted = set()
    for complaint in report.complaints:
        fatal = complaint.reason in FATAL
        glyph, style = (theme.FAILED, "$error") if fatal else (theme.WARNING, "$warning")
        hint = "" if (complaint.reason, complaint.hint) in hinted else complaint.hint
        hinted.add((complaint.reason, complaint.hint))
        yield from _hanging(glyph, _words(complaint), hint, style, width)
    for reason, count in report.found.items():
        told = sum(each.reason is reason for each in report.complaints)
        if count > told:
            yield Content.styled(f"  … and {count - told:,} more: {reason.value}", "$secondary")


def _words(complaint: Complaint) -> str:
    """`rows.jsonl:17:messages.2.role: is missing`."""
    named = (Path(complaint.file).name, str(complaint.line), complaint.field)
    message = complaint.message.removeprefix(f"{complaint.field} ")
    return f"{':'.join(filter(None, named))}: {message}"


def _hanging(glyph: str, text: str, hint: str, style: str, width: int) -> Iterable[Content]:
    """A glyph, words beside it in as many lines as they need, and what to do."""
    for line in _wrap(f"{glyph} {text}", width, "", "  "):
        yield Content.styled(line, style)
    for line in _wrap(f"→ {hint}" if hint else "", width, "  ", "    "):
        yield Content.styled(line, "$foreground")


def _wrap(text: str, width: int, first: str, then: str) -> list[str]:
    return textwrap.wrap(
        printable(text), width, initial_indent=first, subsequent_indent=then, tabsize=4
    )
