"""Draw the screenshots again: `make screenshots`.

Everything in them is real: the newest finished nano-sql-lora run in FTUI_HOME (make demo makes
one), and its model served by vLLM. SVG from Textual, PNG through headless Chromium.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from ftui.plan.flags import plan_from_flags
from ftui.plan.plan import Plan
from ftui.runs.model import Run
from ftui.runs.store import has_weights, list_runs, read_record
from ftui.targets.world import survey
from ftui.tui.app import Chat, FtuiApp, Opening, Runs, Watch, Wizard

HERE = Path(__file__).parent
LIMIT_SECONDS = 240.0
CELL = (12.2, 24.4)
"""Width and height of a character in Textual's SVG, in pixels."""


async def main() -> None:
    """Make every picture."""
    run = _finished_run()
    plan = _plan("nano-sql-lora")
    await _picture("wizard", Wizard(plan), (120, 32), _wizard)
    await _picture("wizard-80x24", Wizard(plan), (80, 24), _wizard)
    await _picture("data", Wizard(plan), (120, 32), _data)
    await _picture("review", Wizard(plan), (120, 40), _review)
    await _picture("memory", Wizard(_plan("llama3-8b-lora", target="modal")), (120, 36), _memory)
    await _picture("monitor", Watch(run), (120, 36), _monitor)
    await _picture("monitor-80x24", Watch(run), (80, 24), _monitor)
    await _picture("runs", Runs(), (120, 24), _runs)
    if len(list_runs()) > 1:
        await _picture("compare", Runs(), (120, 40), _compare)
    await _picture("chat", Chat(run), (120, 32), _chat)


def _plan(preset: str, target: str | None = None) -> Plan:
    """The plan of a preset, nothing changed but where it runs."""
    return plan_from_flags(
        survey(),
        config=None,
        preset=preset,
        data=None,
        target=target,
        gpus=None,
        overrides=(),
    )


def _finished_run() -> Run:
    for run in list_runs():
        if read_record(run).preset == "nano-sql-lora" and has_weights(run):
            return run
    sys.exit("There is no finished nano-sql-lora run to show. Make one: make demo")


async def _picture(
    name: str,
    opening: Opening,
    size: tuple[int, int],
    act: Callable[[Pilot[Any]], Any],
) -> None:
    app = FtuiApp(opening)
    async with app.run_test(size=size) as pilot:
        await act(pilot)
        svg = app.export_screenshot(title="ftui")
    _write(name, svg, size)


async def _until(pilot: Pilot[Any], text: str) -> None:
    """Wait until the screen shows a text."""
    for _ in range(int(LIMIT_SECONDS / 0.1)):
        await pilot.pause(0.1)
        if text in _text(pilot):
            return
    sys.exit(f"never saw {text!r}:\n{_text(pilot)}")


def _text(pilot: Pilot[Any]) -> str:
    screen = pilot.app.screen
    strips = screen._compositor.render_strips(screen.size)
    return "\n".join(strip.text for strip in strips)


async def _wizard(pilot: Pilot[Any]) -> None:
    await _until(pilot, "nano-sql-qlora")
    for title in ("base model", "learn from", "trained"):
        await pilot.press("enter")
        await _until(pilot, title)


async def _data(pilot: Pilot[Any]) -> None:
    await _until(pilot, "nano-sql-qlora")
    for title in ("base model", "learn from"):
        await pilot.press("enter")
        await _until(pilot, title)
    await pilot.press("v")
    await _until(pilot, "1 of 20")
    await _until(pilot, "rows     2,700 read")
    await pilot.press("right")
    await _until(pilot, "2 of 20")


async def _review(pilot: Pilot[Any]) -> None:
    await _wizard(pilot)
    await pilot.press("enter")
    await _until(pilot, "Where should it run?")
    await pilot.press("enter")
    await _until(pilot, "axolotl agrees")
    await _until(pilot, "warm-up")


async def _memory(pilot: Pilot[Any]) -> None:
    await _until(pilot, "What do you want to start from?")
    await pilot.press("m")
    await _until(pilot, "What would need less")


async def _monitor(pilot: Pilot[Any]) -> None:
    await _until(pilot, "done")
    await pilot.pause(2)


async def _runs(pilot: Pilot[Any]) -> None:
    await _until(pilot, "newest first")
    await _until(pilot, "iB")  # the sizes come last


async def _compare(pilot: Pilot[Any]) -> None:
    await _runs(pilot)
    await pilot.press("space", "space", "c")
    await _until(pilot, "best loss")


async def _chat(pilot: Pilot[Any]) -> None:
    await _until(pilot, "enter send")
    await pilot.press(*"How many rivers are longer than 40?", "enter")
    await _until(pilot, "/s ·")
    await pilot.press(*"Which river is the longest?", "enter")
    await pilot.pause(4)


def _write(name: str, svg: str, size: tuple[int, int]) -> None:
    """Keep the PNG: an SVG needs fonts that a browser may not have."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("make screenshots needs chromium (Debian: apt-get install chromium)")
    width, height = round(size[0] * CELL[0]) + 20, round(size[1] * CELL[1]) + 60
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.svg"
        page.write_text(svg, encoding="utf-8")
        subprocess.run(
            [
                chromium,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--no-first-run",
                f"--user-data-dir={folder}/profile",
                f"--window-size={width},{height}",
                f"--screenshot={HERE / name}.png",
                page.as_uri(),
            ],
            check=True,
            capture_output=True,
        )


if __name__ == "__main__":
    asyncio.run(main())
