"""Nothing from outside may steer the terminal."""

import re
import time
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from ftui.text import clock, duration, printable, shorten


@given(st.text())
def test_printable_leaves_no_control_character(text: str) -> None:
    kept = [c for c in printable(text) if unicodedata.category(c) == "Cc"]
    assert set(kept) <= {"\n", "\t"}


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "Zs"])))
def test_printable_keeps_ordinary_text(text: str) -> None:
    assert printable(text) == text


def test_colours_titles_and_cursor_moves_are_removed_whole() -> None:
    assert printable("\x1b[31mred\x1b[0m \x1b]0;title\x07done\x1b[2J") == "red done"


@given(st.text(), st.integers(min_value=1, max_value=80))
def test_shortened_text_fits_in_one_line(text: str, width: int) -> None:
    short = shorten(text, width)
    assert len(short) <= width
    assert "\n" not in short


def test_durations_read_like_people_say_them() -> None:
    assert [duration(s) for s in (0.2, 48, 60, 200, 3600, 7500)] == [
        "0 s",
        "48 s",
        "1 min",
        "3 min 20 s",
        "1 h",
        "2 h 5 min",
    ]


def test_a_time_of_another_day_is_told_with_its_day() -> None:
    for away in (-80_000, 0, 80_000):
        assert re.fullmatch(r"\d\d:\d\d", clock(time.time() + away))
    for away in (-90_000, 90_000):
        then = time.time() + away
        day = time.strftime("%Y-%m-%d", time.localtime(then))
        assert re.fullmatch(rf"{day} \d\d:\d\d:\d\d", clock(then, "%H:%M:%S"))


@given(st.floats() | st.integers())
def test_any_number_makes_a_time(moment: float) -> None:
    assert re.fullmatch(r"(\d{4}-\d\d-\d\d )?\d\d:\d\d", clock(moment))
