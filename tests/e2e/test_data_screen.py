"""The data screen with nothing faked: axolotl's own tokens of a row of the built-in dataset."""

from __future__ import annotations

from pathlib import Path

from ftui.plan.steps import STEPS
from tests.e2e.test_whole_way import FTUI
from tests.terminal import Terminal

LIMIT = 300.0
"""Seconds for axolotl to be imported and to count, on a busy machine too."""


def test_the_mask_of_a_built_in_row_is_one_key_from_the_wizard(home: Path) -> None:
    with Terminal([FTUI, "--preset", "nano-sql-lora"], env={"FTUI_HOME": str(home)}) as terminal:
        for step in STEPS[:2]:
            terminal.wait_for(step.question)
            terminal.press("enter")
        terminal.wait_for(STEPS[2].question)
        terminal.press("v")
        terminal.wait_for("2,700 read", LIMIT)
        terminal.wait_for("1 of 20", LIMIT)
        terminal.wait_for("· <|im_start|>system↵")
        terminal.wait_for(lambda text: _learnt(text).startswith("SELECT"))
        assert "<|im_end|>■" in _learnt(terminal.text), "the end of the answer is learnt too"
        terminal.press("\x1b")
        terminal.wait_for(STEPS[2].question)
        terminal.press("\x11")
        assert terminal.wait_closed(60) == 0


def _learnt(text: str) -> str:
    """What the mask says is learnt, without its signs."""
    lines = (line.split("│")[0].strip() for line in text.splitlines())
    return "".join(line[2:] for line in lines if line.startswith("┃ ") and "only read" not in line)
