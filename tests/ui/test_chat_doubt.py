"""Talking with a model whose numbers were lost is nobody's surprise."""

from __future__ import annotations

import json

from ftui.runs.model import Run
from tests.ui.conftest import screen_text, shows, until
from tests.ui.test_chat import ChatStage, Models, models, run

__all__ = ("models", "run")


def tell(run: Run, norm: float | str) -> None:
    log = {"v": 1, "event": "log", "step": 3, "max_steps": 3, "values": {"grad_norm": norm}}
    end = {"v": 1, "event": "exit", "values": {"code": 0}}
    (run.output_dir).mkdir(exist_ok=True)
    (run.output_dir / "adapter_model.safetensors").touch()
    run.events_file.write_text(f"{json.dumps(log)}\n{json.dumps(end)}\n")


async def test_it_is_warned_of_and_possible(run: Run, models: Models) -> None:
    tell(run, "nan")
    async with ChatStage(run, models).run_test(size=(120, 40), notifications=True) as pilot:
        await shows(pilot, "its numbers were lost", "ask both …")


async def test_a_good_run_is_not_doubted(run: Run, models: Models) -> None:
    tell(run, 0.5)
    async with ChatStage(run, models).run_test(size=(120, 40), notifications=True) as pilot:
        await shows(pilot, "ask both …")
        looks = [each for each in pilot.app.workers if each.name == "_warn"]
        await until(pilot, lambda: all(each.is_finished for each in looks))
        assert "numbers were lost" not in screen_text(pilot.app)
