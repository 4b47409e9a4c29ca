"""A place leads to its value, and no odd step leads anywhere or falls over."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftui.plan.hardware import Gpu, weakest
from ftui.plan.places import is_index, steps, value_at

DATA = {"a": [{"b": 1}, None], "1": "x"}


@pytest.mark.parametrize(
    ("place", "value"),
    [("a.0.b", 1), ("a.1", None), ("1", "x"), ("a.2", "-"), ("a.0.b.c", "-"), ("a.²", "-")],
)
def test_a_place_leads_to_its_value_or_to_the_default(place: str, value: object) -> None:
    assert value_at(DATA, place, "-") == value


@given(st.lists(st.text() | st.sampled_from(["a", "0", "²", "٣", "9" * 5000]), min_size=1))
def test_any_place_gets_an_answer(names: list[str]) -> None:
    value_at(DATA, ".".join(names))
    assert steps(".".join(names)) == tuple(".".join(names).split("."))


@given(st.text(alphabet="0123456789²٣-+_ ") | st.text())
def test_what_is_an_index_is_a_number_to_python(text: str) -> None:
    if is_index(text):
        assert str(int(text)).zfill(len(text)) == text


def test_the_weakest_gpu_is_that_of_the_lowest_capability() -> None:
    def gpus(*names: str) -> list[Gpu]:
        return [Gpu("GPU", 24, name) for name in names]

    assert weakest(gpus("sm_90", "sm_86", "sm_120")) == 86
    assert weakest(gpus("sm_90", "sm_[N/A]")) == weakest(gpus("sm_9²")) == weakest([]) == 0
