"""What works on every screen: help, palette, themes, and a way out that loses nothing."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from ftui import paths
from ftui.errors import ExitCode
from ftui.plan.steps import begin
from ftui.runs.model import Run, RunRecord
from ftui.runs.store import write_record
from ftui.tui.app import FtuiApp, Wizard
from tests.ui.conftest import screen_text, shows, until
from tests.ui.stage import MACHINE, Stage, StageApp, preset

QUESTION = "What do you want to start from?"


def wizard(tmp_path: Path) -> FtuiApp:
    plan = begin(preset("small-lora"), MACHINE)
    return StageApp(Wizard(plan), Stage(tmp_path).services())


async def test_help_lists_the_keys_of_the_screen_below(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    app = wizard(tmp_path)
    async with app.run_test(size=size) as pilot:
        await shows(pilot, QUESTION, "small-lora")
        await pilot.press("question_mark")
        text = await shows(pilot, "One question at a time")
        for key, words in {"enter": "choose", "/": "filter", "esc": "back", "e": "edit"}.items():
            assert any(
                line.strip(" │").startswith(key) and words in line for line in text.split("\n")
            )
        await pilot.press("escape")
        await until(pilot, lambda: "One question at a time" not in screen_text(app))
        await pilot.press("f1")
        await shows(pilot, "One question at a time")


async def test_the_palette_offers_what_the_keys_do(tmp_path: Path) -> None:
    app = wizard(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await shows(pilot, QUESTION, "small-lora")
        await pilot.press("ctrl+p")
        await shows(pilot, "filter", "e edit", "light or dark", "quit")
        await pilot.press(*"light")
        await shows(pilot, "Switch between the two themes", without=("quit",))
        await pilot.press("down", "enter")
        await until(pilot, lambda: app.theme == "ftui-light")


def recorded(name: str, **extra: Any) -> Run:
    """A run's folder with a record and no process."""
    run = Run(paths.runs_dir() / name)
    run.folder.mkdir(parents=True)
    write_record(
        run,
        RunRecord(
            name=name, preset="p", title="t", target="local", created=time.time(), settings={}
        ),
    )
    return run


@pytest.mark.parametrize(
    ("events", "code", "words"),
    [
        ("", ExitCode.OK, "small-1 is written; nothing runs yet. Start it: ftui resume small-1"),
        (
            '{"v": 1, "ts": 1.0, "event": "stop_requested"}\n'
            '{"v": 1, "ts": 1.0, "event": "exit", "values": {"code": 0}}\n',
            ExitCode.OK,
            "small-1 is stopped. Go on with it: ftui resume small-1",
        ),
        (
            '{"v": 1, "ts": 1.0, "event": "exit", "values": {"code": 1}}\n',
            ExitCode.RUN_FAILED,
            "small-1 failed. What it said: ftui logs small-1",
        ),
    ],
)
async def test_leaving_a_run_says_how_it_stands(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    events: str,
    code: ExitCode,
    words: str,
) -> None:
    run = recorded("small-1")
    run.events_file.write_text(events)
    app = wizard(tmp_path)
    async with app.run_test() as pilot:
        await shows(pilot, QUESTION)
        FtuiApp._monitor(app, run)
        await pilot.press("ctrl+q")
    assert app.return_value is code
    assert words in capsys.readouterr().err


async def test_a_small_terminal_is_told_so(tmp_path: Path) -> None:
    app = wizard(tmp_path)
    async with app.run_test(size=(70, 20), notifications=True) as pilot:
        await shows(pilot, "Too small", "This terminal is 70x20", "80x24")
        await pilot.resize_terminal(100, 30)
        await until(pilot, lambda: "Too small" not in screen_text(app))


async def test_an_unforeseen_error_ends_in_words_and_a_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> Any:
        raise ZeroDivisionError("nobody foresaw this")

    app = FtuiApp(Wizard(), services=Stage(tmp_path).services(survey=broken))
    with pytest.raises(Exception, match="nobody foresaw this"):
        async with app.run_test() as pilot:
            await until(pilot, lambda: False)
    said = "".join(capsys.readouterr().err.split())  # a long path is broken anywhere
    assert "somethingunexpectedwentwronginftui" in said
    assert "nobodyforesawthis" in said
    assert "Traceback" not in said
    assert str(paths.log_file()) in said
    assert "ZeroDivisionError: nobody foresaw this" in paths.log_file().read_text()
