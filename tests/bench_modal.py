"""What ftui adds on Modal, against Modal's own command line: `python -m tests.bench_modal`.

Both deploy the same modal_app.py, upload the same run and spawn the same functions, with the real
client, on the stand-in of this project; so what is measured is ftui and the client, and neither
Modal's network nor its machines.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from ftui.runs.model import Run
from ftui.runs.tail import EventFollower
from ftui.targets.modal.target import ModalTarget
from tests.standins.modal_server.lab import Lab, lab
from tests.standins.modal_server.people import LIMIT, end_follower, let, plan_of, prepared
from tests.standins.runs import state, wait_for

ROUNDS = 5
STEPS = 20
_LOOK_SECONDS = 0.01


def main() -> None:
    """Print the table as Markdown."""
    with tempfile.TemporaryDirectory() as folder, _person(Path(folder)) as modal:
        ours = median(_spawned(modal, _by_ftui) for _ in range(ROUNDS))
        theirs = median(_spawned(modal, _by_hand) for _ in range(ROUNDS))
        lags = sorted(_lags(modal))
    print("| what | ftui | peer | ratio |\n|---|---|---|---|")
    what = "Modal: launch to the spawned call, `modal run --detach`"
    print(f"| {what} | {ours:.2f} s | {theirs:.2f} s | {ours / theirs:.2f} |")
    print(
        f"\nAn event is seen after {median(lags):.1f} s; {lags[-1]:.1f} s at most of {len(lags)}."
    )


@contextmanager
def _person(folder: Path) -> Iterator[Lab]:
    """The stand-in, and somebody who is logged in there."""
    with lab(folder / "modal") as modal:
        os.environ |= {**modal.env, "FTUI_HOME": str(folder / "home")}
        modal.play_scripted(STEPS)
        yield modal


def _spawned(modal: Lab, launch: Callable[[Run], Callable[[], object]]) -> float:
    """Seconds from the launch until a call is there."""
    run = prepared(plan_of())
    modal.machines(there=False)  # what a container does is not measured
    calls, began = len(modal.calls), time.perf_counter()
    come_to_end = launch(run)
    wait_for(lambda: len(modal.calls) > calls, "the call", LIMIT)
    took = time.perf_counter() - began
    come_to_end()
    modal.mend()
    return took


def _by_ftui(run: Run) -> Callable[[], object]:
    ModalTarget().launch(run)
    return lambda: end_follower(run)


def _by_hand(run: Run) -> Callable[[], object]:
    command = [sys.executable, "-m", "modal", "run", "--detach", "modal_app.py"]
    nowhere = subprocess.DEVNULL
    return subprocess.Popen(command, cwd=run.folder, stdout=nowhere, stderr=nowhere).wait


def _lags(modal: Lab) -> list[float]:
    """Seconds from each event of a step until ftui has it."""
    run = prepared(plan_of())
    ModalTarget().launch(run)
    follower, lags = EventFollower(run), []
    for step in range(1, STEPS + 1):
        let(modal, run, step)
        seen = False
        while not seen:
            told = [event for event in follower.poll() if event.kind == "log"]
            lags += [time.time() - event.time for event in told]
            seen = any(event.step == step for event in told)
            time.sleep(_LOOK_SECONDS)
    wait_for(lambda: state(run).ended, "the end", LIMIT)
    end_follower(run)
    return lags


if __name__ == "__main__":
    main()
