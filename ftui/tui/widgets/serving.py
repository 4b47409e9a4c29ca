"""What is shown in place of a chat while the model server starts, ends or has failed."""

from __future__ import annotations

import time
from pathlib import Path

from textual.content import Content

from ftui.errors import FtuiError
from ftui.runs.model import Run
from ftui.targets.endpoint import Phase, Stage
from ftui.text import duration
from ftui.tui import theme
from ftui.tui.widgets.lines import explain
from ftui.tui.widgets.run_words import nice_path

_USUAL = (Stage.STARTING, Stage.LOADING, Stage.CHECKING)
_WORDS = {
    Stage.MACHINE: "a machine is found",
    Stage.IMAGE: "the image is made ready",
    Stage.MODEL: "the base model is downloaded, without a GPU",
    Stage.STARTING: "vLLM starts",
    Stage.LOADING: "the model is loaded",
    Stage.CHECKING: "the model says its first word",
}
_HERE = "On a CPU this takes 20 s to a minute."
_RENTED = "This takes minutes. The machine costs from when it is found."


class Start:
    """The start of a server, as it goes."""

    def __init__(self, run: Run) -> None:
        self._began = time.monotonic()
        self._reached: dict[Stage, float] = {}
        self.log_file: Path | None = None
        """The server's own, once it is known."""
        self._usual_log = run.folder / "serve.log"

    def reach(self, phase: Phase) -> None:
        """A stage has begun."""
        self._reached[phase.stage] = phase.seconds
        self.log_file = phase.log_file or self.log_file

    def words(self) -> Content:
        """What is waited for, since when, and the way out."""
        passed = time.monotonic() - self._began
        lines = [
            Content.assemble(
                (f"{theme.WAITING} Starting the model server", "bold"),
                (f"   {duration(passed)}", "$accent"),
            ),
            Content(""),
        ]
        reached = [stage for stage in self._reached if stage in _WORDS]
        stages = [*reached, *(stage for stage in _USUAL if stage not in reached)]
        current = max(len(reached) - 1, 0)
        for number, stage in enumerate(stages):
            following = stages[number + 1] if number < current else None
            lines.append(self._stage_line(number - current, stage, following))
        rented = {Stage.MACHINE, Stage.IMAGE} & self._reached.keys()
        usual = _RENTED if rented else _HERE if reached else ""
        return Content("\n").join(
            [
                *lines,
                Content(""),
                Content.styled(f"  {usual}", "$secondary"),
                Content.styled(
                    f"  log  {nice_path(self.log_file or self._usual_log)}", "$secondary"
                ),
                Content.assemble("  esc ", ("cancels", "$secondary")),
            ]
        )

    def _stage_line(self, ahead: int, stage: Stage, following: Stage | None) -> Content:
        if ahead > 0:
            return Content.styled(f"  {theme.WAITING} {_WORDS[stage]}", "$secondary")
        if following is None:
            return Content.styled(f"  {theme.RUNNING} {_WORDS[stage]}", "$accent")
        after = f"   {duration(self._reached[following])}"
        return Content.assemble(f"  {theme.DONE} {_WORDS[stage]}", (after, "$secondary"))


def stopping() -> Content:
    """The word while the server ends."""
    return Content.assemble(
        (f"{theme.RUNNING} Stopping the model server", "bold"),
        ("\n\n  It ends on its own; esc leaves at once.", "$secondary"),
    )


def failed(error: FtuiError) -> Content:
    """What went wrong, and the ways on."""
    return Content("\n").join(
        [
            explain(error),
            Content(""),
            Content.assemble(
                "  r ", ("tries again", "$secondary"), "   esc ", ("leaves", "$secondary")
            ),
        ]
    )
