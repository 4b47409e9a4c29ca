"""The monitor of a run that goes wrong or has ended: what came of it, why, and how it goes on."""

from __future__ import annotations

import re
import shutil
import sys
import time
from dataclasses import replace

import pytest

from ftui.plan.presets import find as find_preset
from ftui.runs import store
from ftui.runs.model import Run
from ftui.tui.app import FtuiApp, Watch
from ftui.tui.screens.monitor import MonitorScreen
from tests.ui.conftest import screen_text, shows, until, words_of
from tests.ui.monitors import (
    GONE,
    NAME,
    Stage,
    finish,
    keep,
    make_run,
    say,
    tell,
    train,
    trained_by,
)


@pytest.fixture
def run() -> Run:
    """A run that trains."""
    return make_run()


# ── What is wrong while it trains ────────────────────────────────────────────────────────────


async def test_tripwires_are_told_near_the_head_and_go_away(
    run: Run, size: tuple[int, int]
) -> None:
    tell(run, "launched")
    tell(run, "train_begin", at=time.time(), vocabulary=4096, warmup_steps=2)
    for step in range(1, 8):
        tell(run, "log", step, at=time.time(), loss=9.5, grad_norm=1.0)
    async with Stage(run).run_test(size=size) as pilot:
        text = await shows(pilot, "▲ worse than guessing", "the loss is 9.50 since step 3")
        assert text.index("▲ worse") < (text.index("curve") if size[0] < 100 else text.index("raw"))
        assert all(len(line) <= size[0] for line in text.splitlines())
        tell(run, "log", 8, at=time.time(), loss=4.5, grad_norm=1.0)
        await shows(pilot, "step 8 / 375")
        assert "worse than guessing" not in screen_text(pilot.app)


async def test_a_run_that_stands_still_is_told_so(run: Run) -> None:
    train(run, 20)  # in 1970
    async with Stage(run).run_test(size=(120, 40)) as pilot:
        await shows(pilot, "▲ no step", "after step 20")


async def test_the_most_memory_stands_beside_what_was_estimated(run: Run) -> None:
    settings = find_preset("llama3-8b-qlora").settings
    store.write_record(run, replace(store.read_record(run), settings=settings, gpus=1))
    train(run, 20)
    for step, gib in ((21, 8.5), (22, 9.1), (23, 9.0)):
        values = {"memory/max_allocated (GiB)": gib, "loss": 1.0, "grad_norm": 1.0}
        tell(run, "log", step, at=1006, **values)
    finish(run)
    async with Stage(run).run_test(size=(120, 40)) as pilot:
        await shows(pilot, "memory     9.1 GiB at most; 9.4 estimated")


async def test_numbers_that_were_lost_make_no_good_end(run: Run, size: tuple[int, int]) -> None:
    train(run, 20)
    for step in range(21, 26):
        tell(run, "log", step, at=1006, loss=0.0, grad_norm="nan")
    finish(run)
    app = Stage(run, then_chat=True)
    async with app.run_test(size=size) as pilot:
        text = await shows(pilot, "∅ numbers lost", "∅ not a number", "at step 21", "r resume")
        assert "done" not in text
        assert "chat" not in text
        assert "smaller learning_rate" in " ".join(text.split())
        await pilot.press("c")
        await pilot.pause()
        assert app.chats == [], "it is not worth talking with"


async def test_a_stopped_run_whose_numbers_were_lost_is_not_talked_with_either(run: Run) -> None:
    train(run, 20)
    for step in range(21, 26):
        tell(run, "log", step, at=1006, loss=0.0, grad_norm="nan")
    (run.output_dir / "adapter_model.safetensors").write_text("")
    tell(run, "stop_requested", 25, at=1006)
    tell(run, "exit", at=1007, code=0)
    async with Stage(run).run_test(size=(120, 40)) as pilot:
        text = await shows(pilot, "∅ numbers lost", "25 of 375", "r resume")
        assert "▲" not in text
        assert "chat" not in text


async def test_a_run_that_a_tripwire_stopped_says_which(run: Run) -> None:
    train(run, 20)
    tell(run, "stop_requested", 20, at=1006, why="disk nearly full: 5 MiB [b]free[/b]")
    tell(run, "exit", at=1007, code=0)
    async with Stage(run).run_test(size=(80, 24)) as pilot:
        await shows(pilot, "▲ stopped", "▲ disk nearly full: 5 MiB [b]free[/b]", "Next")


# ── When it has ended ────────────────────────────────────────────────────────────────────────


async def test_the_end_of_a_good_run_says_what_came_of_it_and_what_next(
    run: Run, size: tuple[int, int]
) -> None:
    train(run, 375)
    finish(run)
    app = Stage(run)
    async with app.run_test(size=size) as pilot:
        text = await shows(pilot, "✓ done", "Next", f"ftui chat {NAME}", without=("x stop",))
        for words in ("final loss 0.40", "1.25 at step 100", "375 of 375", "1 min 35 s"):
            assert words in text, words
        card = words_of(app, "#result")
        assert f"ftui eval {NAME}" in card
        assert str(run.output_dir) in card
        await pilot.press("c")
        await until(pilot, lambda: app.chats == [run])


async def test_the_chat_waits_for_weights(run: Run) -> None:
    train(run, 20)
    app = Stage(run)
    async with app.run_test(size=(120, 40)) as pilot:
        await shows(pilot, "● training")
        await pilot.press("c")
        await pilot.pause()
        assert app.chats == []
        finish(run)
        await shows(pilot, "✓ done")
        await pilot.press("c")
        await until(pilot, lambda: app.chats == [run])


async def test_the_chat_opens_by_itself_once_where_that_was_asked(run: Run) -> None:
    train(run, 20)
    app = Stage(run, then_chat=True)
    async with app.run_test(size=(120, 40)) as pilot:
        await shows(pilot, "● training")
        assert app.chats == []
        finish(run)
        await until(pilot, lambda: app.chats == [run])
        say(run, "and it looked again")
        await shows(pilot, "and it looked again")
        assert app.chats == [run]


async def test_a_failure_says_why_where_the_log_is_and_what_to_do(
    run: Run, size: tuple[int, int]
) -> None:
    train(run, 160)
    keep(run, 150)
    say(run, "Traceback (most recent call last):", "torch.OutOfMemoryError: CUDA out of memory. Tr")
    finish(run, code=1, weights=False)
    async with Stage(run).run_test(size=size) as pilot:
        text = await shows(pilot, "✗ failed", "Next", "CUDA out of memory", f"ftui logs {NAME}")
        assert "ftui --preset nano-sql-lora" in text
        card = words_of(pilot.app, "#result")
        for words in (
            "step 160 of 375",
            "out/checkpoint-150",
            f"train.log, config.yml in {run.folder}",
        ):
            assert words in card, words


CONFIG = "# mine\nmicro_batch_size: 4  # rows\n"


def fail_for_memory(run: Run) -> None:
    """The run ends for want of GPU memory; a smaller batch would mend it."""
    train(run, 160)
    run.config_file.write_text(CONFIG)
    record = store.read_record(run)
    store.write_record(run, replace(record, settings={"micro_batch_size": 4}))
    say(
        run,
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total "
        "capacity of 7.60 GiB of which 1.20 GiB is free. [red]x[/red]",
    )
    finish(run, code=1, weights=False)


@pytest.mark.parametrize(
    ("key", "config"),
    [("enter", CONFIG.replace("4", "2") + "gradient_accumulation_steps: 2\n"), ("s", "as it is")],
)
async def test_the_change_that_mends_it_is_shown_and_taken(
    run: Run, size: tuple[int, int], key: str, config: str
) -> None:
    fail_for_memory(run)
    app = Stage(run)
    async with app.run_test(size=size) as pilot:
        text = await shows(pilot, "▦ out of GPU memory", "see what to change", "train.log:161")
        assert text.index("see what to change") < len(text) * 3 / 4, "above the fold"
        await pilot.press("r")
        await shows(pilot, "-micro_batch_size: 4  # rows", "+micro_batch_size: 2  # rows")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, MonitorScreen))
        assert app.resumed == []
        await pilot.press("r")
        await shows(pilot, "+micro_batch_size: 2  # rows", "fix and resume", "resume as it is")
        await pilot.press(key)
        await until(pilot, lambda: app.resumed == [config])


async def test_a_resumed_run_goes_on_in_place(run: Run) -> None:
    fail_for_memory(run)
    app = Stage(run)
    async with app.run_test(size=(120, 40)) as pilot:
        await shows(pilot, "✗ failed", "r resume")
        tell(run, "launched")
        tell(run, "train_begin", 150, at=2000.0)
        tell(run, "log", 151, at=2001.0, loss=0.75)
        gone = ("out of GPU memory", "r resume")
        await shows(pilot, "● training", "step 151 / 375", "loss 0.75", "x stop", without=gone)


async def test_what_cannot_go_on_says_why(run: Run) -> None:
    train(run, 20)
    tell(run, "stop_requested", 20, at=1006)
    tell(run, "exit", at=1007, code=0)
    app = Stage(run)
    app.resumed_well = False
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await shows(pilot, "▲ stopped", "begin it again from nothing", "r resume")
        await pilot.press("r")
        await shows(pilot, "It does not go on", "no room")
        app.resumed_well = True
        await pilot.press("r")
        await until(pilot, lambda: app.resumed == ["as it is"])


async def test_a_machine_is_not_rented_again_by_one_key(run: Run) -> None:
    store.write_record(run, replace(store.read_record(run), target="modal"))
    train(run, 20)
    tell(run, "stop_requested", 20, at=1006)
    tell(run, "exit", at=1007, code=0)
    app = Stage(run)
    async with app.run_test(size=(120, 40)) as pilot:
        await shows(pilot, "▲ stopped", "r resume")
        await pilot.press("r")
        await shows(pilot, f"Resume {run.name}?", "Modal is asked for a machine")
        await pilot.press("escape")
        await shows(pilot, "▲ stopped", "r resume")
        assert app.resumed == []
        await pilot.press("r")
        await shows(pilot, f"Resume {run.name}?")
        await pilot.press("enter")
        await until(pilot, lambda: app.resumed == ["as it is"])


async def test_what_it_would_go_on_from_is_what_is_there(run: Run) -> None:
    train(run, 160)
    kept = keep(run, 150)
    finish(run, code=1, weights=False)
    async with Stage(run).run_test(size=(120, 40)) as pilot:
        await shows(pilot, "go on from step 150", "out/checkpoint-150")
        shutil.rmtree(kept)
        text = await shows(pilot, "begin it again from nothing")
        assert "checkpoint-150" not in text


async def test_what_is_not_as_it_was_told_is_looked_at_again(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FTUI_TRAIN_PYTHON", sys.executable)
    train(run, 160)
    kept = keep(run, 150)
    trained_by(run, GONE)
    finish(run, code=1, weights=False)
    app = FtuiApp(Watch(run))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await shows(pilot, "go on from step 150")
        (kept / "trainer_state.json").write_text("")  # as a crash would leave it
        await pilot.press("r")
        await shows(pilot, "It does not go on", "now it begins again from nothing")
        await shows(pilot, "begin it again from nothing")
        assert kept.is_dir()


async def test_another_try_says_where_it_begins_since_when_and_hides_the_last_ones_end(
    run: Run, size: tuple[int, int]
) -> None:
    train(run, 160)
    say(run, "torch.OutOfMemoryError: CUDA out of memory")
    finish(run, code=1, weights=False)
    async with Stage(run).run_test(size=size) as pilot:
        await shows(pilot, "✗ failed")
        record = store.read_record(run)
        store.write_record(run, replace(record, launched=time.time() - 1800))
        head = "── ftui: the run begins again from nothing ──"
        say(run, head)
        tell(run, "launched", again=True, from_step=0, aside="out.1")
        text = await shows(pilot, "Waiting for the first step", "the log’s last line", head)
        words = " ".join(text.split())
        assert "It begins again from nothing; what it had trained is kept in out.1." in words
        assert "10 min" not in text
        assert re.search(r"first step +3[0-9] min", text)
        tell(run, "train_begin", 0, at=2000.0)
        tell(run, "log", 1, at=2001.0, loss=0.75)
        finish(run)
        await shows(pilot, "✓ done", "is in out.1")


async def test_time_is_without_the_pauses_between_tries(run: Run) -> None:
    train(run, 160)
    finish(run, code=1, weights=False)
    tell(run, "launched", at=90_000.0, again=True, from_step=160)
    tell(run, "train_begin", 160, at=90_010.0)
    tell(run, "log", 375, at=90_040.0, loss=0.5)
    (run.output_dir / "adapter_model.safetensors").write_text("")
    tell(run, "saved", 375, at=90_050.0)
    tell(run, "exit", at=90_055.0, code=0)
    async with Stage(run).run_test(size=(120, 40)) as pilot:
        await shows(pilot, "✓ done", "2 min 20 s")  # 1 min 35 s and 45 s


async def test_a_failure_before_the_first_step_has_no_empty_curve(run: Run) -> None:
    say(run, "ValueError: no such base model")
    finish(run, code=1, weights=False)
    async with Stage(run).run_test(size=(120, 40)) as pilot:
        await shows(pilot, "✗ failed", "no such base model", "Next", without=("smoothed",))


async def test_a_run_whose_trainer_is_gone_was_interrupted(run: Run) -> None:
    train(run, 20)
    trained_by(run, GONE)
    async with Stage(run).run_test(size=(80, 24)) as pilot:
        await shows(pilot, "✗ interrupted", "Next", "restarted")


async def test_a_run_stopped_early_keeps_its_weights_and_can_be_talked_to(run: Run) -> None:
    train(run, 20)
    tell(run, "stop_requested", 20, at=1006)
    (run.output_dir / "adapter_model.safetensors").write_text("")
    tell(run, "exit", at=1007, code=0)
    app = Stage(run, then_chat=True)
    async with app.run_test(size=(120, 40)) as pilot:
        await shows(pilot, "▲ stopped", "20 of 375", "ftui chat")
        assert app.chats == [], "nobody asked for it"
        await pilot.press("c")
        await until(pilot, lambda: app.chats == [run])
