"""The whole way in plain lines: set up, train, evaluate. What `make demo` shows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ftui.errors import ConfigError, ExitCode, FtuiError, TargetUnavailable
from ftui.plain import console, environments, follow, talk
from ftui.plan.plan import Plan
from ftui.targets.base import Target
from ftui.text import duration

if TYPE_CHECKING:
    from ftui.runs.model import Run
    from ftui.runs.tripwires import Tripwire


def write_files(plan: Plan) -> int:
    """--dry-run: write the run's folder and print where it is, whatever this machine lacks."""
    from ftui.targets import get
    from ftui.targets.base import Offering
    from ftui.targets.documents import write_documents
    from ftui.targets.prepare import prepare

    target = get(plan.target)
    made = prepare(plan, target, _checked_config(plan, target))
    write_documents(made, plan)
    for problem in target.problems(plan):
        console.say(f"▲ {problem.what}")
    if isinstance(target, Offering):
        console.say(f"It would end at the latest after {target.limits(plan)}.")
    console.say("Nothing was started. To train by hand: sh train.sh in this folder:")
    console.line(str(made.folder))
    return ExitCode.OK


def run(plan: Plan, stop_on: Sequence[Tripwire] = ()) -> int:
    """Train, follow, and evaluate where the preset can; the exit code of the contract.

    `stop_on`: the tripwires that may stop the run.
    """
    from ftui.runs.stop_on import remember
    from ftui.runs.store import state
    from ftui.runtimes import Kind, find
    from ftui.serve.place import Where
    from ftui.targets import get
    from ftui.targets.base import Offering
    from ftui.targets.documents import write_documents
    from ftui.targets.prepare import prepare

    began = time.monotonic()
    target = get(plan.target)
    _refuse_problems(target, plan)
    config = _checked_config(plan, target)
    for kind in target.needs_runtimes:
        if find(kind) is None:
            environments.make(kind)
    made = prepare(plan, target, config)
    write_documents(made, plan)
    if stop_on:
        remember(made, stop_on)
    console.line(f"◌ {made.name}  {plan.preset.title}")
    console.say(f"  folder {made.folder}")
    if isinstance(target, Offering):
        console.say(f"  ending at the latest after {target.limits(plan)}")
    _launch(target, made)
    try:
        code = follow.until_ended(made)
        asks_its_own_data = plan.get("datasets") == plan.preset.settings.get("datasets")
        if code == ExitCode.OK and plan.preset.evaluation is not None and asks_its_own_data:
            if find(Kind.SERVE) is not None:
                talk.show(talk.measure(made, Where()))
            else:
                console.say(f"  how good it is: ftui eval {made.name} --on {target.name}")
    except KeyboardInterrupt:
        if not state(made).ended:
            console.say(f"\nThe run goes on without you. See it: ftui watch {made.name}")
            console.say(f"End it: ftui stop {made.name}")
        raise
    if code == ExitCode.OK:
        console.line(f"\n✓ the whole way took {duration(time.monotonic() - began)}")
        console.line(f"  talk to it: ftui chat {made.name}")
    return code


def _launch(target: Target, made: Run) -> None:
    """Start it, and say so where nothing is left of it because that was refused."""
    from ftui.targets.launch import launch

    try:
        launch(target, made)
    except FtuiError:
        if not made.folder.exists():
            console.say("  nothing was started, and nothing of it is kept")
        raise


def _refuse_problems(target: Target, plan: Plan) -> None:
    problems = target.problems(plan)
    if problems:
        raise TargetUnavailable(
            f"{plan.preset.name} cannot run on {target.title.lower()}",
            why="; ".join(problem.what for problem in problems),
            hint=problems[0].hint,
        )


def _checked_config(plan: Plan, target: Target) -> str:
    """The config that will run. Raises ConfigError, with every problem told, before it is used."""
    from ftui.config.text import config_text
    from ftui.plain.check import issue_words
    from ftui.plain.fit import warn_of_memory
    from ftui.targets.judge import judge

    text = config_text(plan)
    hardware = target.hardware(plan)
    warn_of_memory(plan, hardware.gpus)
    issues = judge(text, hardware.used_by(plan.all_gpus))
    for issue in issues:
        console.say(issue_words(issue, "config.yml"))
    if any(issue.severity == "error" for issue in issues):
        raise ConfigError(
            "the config is not valid, nothing was written",
            hint="the lines above say what to change, with --set or in the preset",
        )
    return text
