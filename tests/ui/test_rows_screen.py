"""The column picker: where nothing says what the rows are, a person does."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from ftui.plan.steps import step
from ftui.tui.widgets.options import Options
from tests.ui.conftest import screen_text, shows, words_of
from tests.ui.test_wizard import go_to, plan_of, wizard

ODD = {"subject": "No sound", "body": "My radio is [b]silent[/b].", "reply_text": "Turn it on."}
UNSURE = {"title": "Rivers", "text": "The Amazon is long."}


@asynccontextmanager
async def typed(
    tmp_path: Path, row: dict[str, Any], size: tuple[int, int] = (120, 40)
) -> AsyncIterator[Pilot[Any]]:
    """The wizard, after a file with such rows was typed into its data step."""
    rows = tmp_path / "odd.jsonl"
    rows.write_text("".join(json.dumps(row | {"id": n}) + "\n" for n in range(30)))
    async with wizard(tmp_path, size) as pilot:
        await go_to(pilot, "data")
        await pilot.press("end", "down", *str(rows), "enter")
        await shows(pilot, "ftui · odd.jsonl")
        yield pilot


def read_as(pilot: Pilot[Any]) -> Any:
    return plan_of(pilot).get("datasets.0.type")


async def test_question_answer_and_context_are_picked(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with typed(tmp_path, ODD, size) as pilot:
        text = await shows(pilot, "Which column is the question?", "▸ ● body", "· My radio")
        assert "body        My radio is [b]silent[/b]." in text, "each with an example"
        assert "enter choose" in text
        assert "esc back" in text
        await pilot.press("enter")
        text = await shows(pilot, "✓ Question  body", "Which column is the answer to learn?")
        assert "◌ body" not in text, "what is taken is not offered again"
        await shows(pilot, "▸ ● reply_text", "· My radio", "┃ Turn it on.")
        await pilot.press("enter")
        await shows(pilot, "✓ Answer  reply_text", "Does another column", "▸ ● none")
        await pilot.press("j", "enter")
        await shows(pilot, step("method").question)
        kind = read_as(pilot)
        assert kind["field_instruction"] == "body"
        assert kind["field_output"] == "reply_text"
        assert kind["field_input"] == "subject"


async def test_esc_goes_back_a_question_and_then_to_the_path(tmp_path: Path) -> None:
    async with typed(tmp_path, ODD) as pilot:
        await shows(pilot, "Which column is the question?")
        await pilot.press("k", "enter")
        await shows(pilot, "Which column is the answer to learn?")
        await pilot.press("escape")
        await shows(pilot, "Which column is the question?", "▸ ● subject")
        await pilot.press("escape")
        await shows(pilot, step("data").question, "odd.jsonl", without=("✗", "reading …"))
        assert plan_of(pilot).get("datasets.0.path") == "acme/questions"
        await pilot.press("enter")
        await shows(pilot, "Which column is the question?")


async def test_what_is_likely_is_offered_first(tmp_path: Path) -> None:
    async with typed(tmp_path, UNSURE) as pilot:
        await shows(pilot, "What are these rows?", "▸ ● completion", "┃ The Amazon is long.")
        await pilot.press("enter")
        await shows(pilot, step("method").question)
        assert read_as(pilot) == "completion"


async def test_other_columns_than_the_likely_ones(tmp_path: Path) -> None:
    async with typed(tmp_path, UNSURE) as pilot:
        await shows(pilot, "What are these rows?")
        await pilot.press("end", "enter")
        await shows(pilot, "Which column is the question?", "▸ ● title")
        await pilot.press("enter")
        await shows(pilot, "Which column is the answer to learn?", "▸ ● text")
        await pilot.press("enter")
        await shows(pilot, step("method").question)
        assert read_as(pilot)["field_output"] == "text"


@pytest.mark.parametrize("row", [{"n": 1}, {"only": "one text"}])
async def test_where_there_is_no_choice_nothing_is_asked(
    tmp_path: Path, row: dict[str, Any]
) -> None:
    rows = tmp_path / "odd.jsonl"
    rows.write_text(json.dumps(row))
    async with wizard(tmp_path) as pilot:
        await go_to(pilot, "data")
        await pilot.press("end", "down", *str(rows), "enter")
        await shows(pilot, "✗", "→ A row needs text to learn")
        assert "reads these rows:" in words_of(pilot.app, "#problem")
        assert "Which column" not in screen_text(pilot.app)


async def test_a_second_enter_on_the_same_list_answers_nothing(tmp_path: Path) -> None:
    async with typed(tmp_path, ODD) as pilot:
        await shows(pilot, "Which column is the question?")
        options = pilot.app.screen.query_one(Options)
        options.action_select()
        options.action_select()
        await shows(pilot, "Which column is the answer to learn?")
        await pilot.press("escape")
        await shows(pilot, "Which column is the question?")
