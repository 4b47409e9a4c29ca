"""What the screens ask of the rest of ftui. Each part is imported when it is first asked for.

Tests hand in a Services with some of the parts replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, Protocol

from ftui.errors import ConfigError

if TYPE_CHECKING:
    from textual.app import App

    from ftui.config.issue import Issue
    from ftui.data.entries import Look
    from ftui.data.tokens import Tokens
    from ftui.estimate.estimate import Estimate
    from ftui.plan.hardware import Gpu, Hardware
    from ftui.plan.offer import Market
    from ftui.plan.plan import Plan
    from ftui.plan.step import World
    from ftui.runs.model import Run
    from ftui.runtimes import Kind
    from ftui.runtimes.progress import Progress
    from ftui.targets.base import Problem


@dataclass(frozen=True)
class Facts:
    """What would run where: the config's text, the command, and what stands in the way."""

    config: str
    command: tuple[str, ...]
    problems: list[Problem]
    place: str
    hardware: Hardware
    limits: str = ""
    """What ends it at the latest, where that is part of the plan."""
    changes: Sequence[str] = ()
    """What the answers changed in a config that the person opened."""


class ConfigChecker(Protocol):
    """A warm axolotl that judges configs."""

    async def validate(self, config_text: str, gpus: Sequence[Gpu] | None) -> list[Issue]:
        """Everything that axolotl has against a config that is to run on these GPUs."""
        ...


def _survey() -> World:
    from ftui.targets.world import survey

    return survey()


def _facts(plan: Plan) -> Facts:
    from ftui.config.changes import changes
    from ftui.config.text import config_text
    from ftui.targets import get
    from ftui.targets.base import Offering

    target = get(plan.target)
    hardware = target.hardware(plan)
    return Facts(
        config=config_text(plan),
        command=target.command(plan),
        problems=target.problems(plan),
        place=target.title,
        hardware=hardware,
        limits=target.limits(plan) if isinstance(target, Offering) else "",
        changes=changes(plan),
    )


def _market(plan: Plan) -> Market | None:
    from ftui.targets import get
    from ftui.targets.base import Offering

    target = get(plan.target)
    return target.market(plan) if isinstance(target, Offering) else None


def _lint(config_text: str, gpus: Sequence[Gpu] | None) -> list[Issue]:
    from ftui.targets.judge import judge

    return judge(config_text, gpus)


def _mend(config_text: str, gpus: Sequence[Gpu] | None) -> str:
    from ftui.targets.judge import mend

    return mend(config_text, gpus)


def _validator() -> AbstractAsyncContextManager[ConfigChecker]:
    from ftui.runtimes.validator import Validator

    return Validator()


SHOWN = 20
"""Rows of each dataset that come with their tokens."""
Told = Callable[[Mapping[str, Any]], None]
"""Hears {"phase", "done", "total"}; total 0 = nobody knows."""


class Count(Protocol):
    """Asks axolotl about the data of a config."""

    async def __call__(
        self, config_text: str, gpus: Sequence[Gpu] | None, on_progress: Told, /, *, show: int
    ) -> Tokens:
        """Everything that it makes of them, and the first `show` rows with their tokens."""
        ...


class Estimator(Protocol):
    """Says what a training needs."""

    def __call__(
        self,
        settings: Mapping[str, Any],
        folder: Path,
        gpus: int,
        longest: int | None,
        /,
        *,
        hub: bool,
    ) -> Estimate:
        """The estimate of axolotl settings on so many GPUs.

        A relative base model is looked for in the folder; the hub is asked only with `hub`.
        """
        ...


async def _count(
    config_text: str, gpus: Sequence[Gpu] | None, on_progress: Told, *, show: int
) -> Tokens:
    from ftui.runtimes.dataset_worker import DatasetWorker

    async with DatasetWorker() as worker:
        return await worker.look(config_text, Path.cwd(), gpus, show=show, on_progress=on_progress)


def datasets(config_text: str, key: str = "datasets") -> list[Mapping[str, Any]]:
    """The datasets that a config names under a key. Raises ConfigError."""
    listed = _settings(config_text).get(key)
    return (
        [each for each in listed if isinstance(each, Mapping)] if isinstance(listed, list) else []
    )


def _settings(config_text: str) -> Mapping[str, Any]:
    """A config as plain data. Raises ConfigError."""
    from ftui.plan.yaml_source import YamlProblem, mapping

    try:
        settings: Mapping[str, Any] = mapping(config_text).data
        return settings
    except YamlProblem as problem:
        raise ConfigError(problem.message, where=f"config.yml:{problem.line}") from problem


def _look(config_text: str, on_progress: Callable[[int], None]) -> list[Look]:
    from ftui.data.entries import look_at
    from ftui.runtimes.datasets import read_dataset

    tests, rl = datasets(config_text, "test_datasets"), _settings(config_text).get("rl")
    named = datasets(config_text)
    return list(look_at(named, read_dataset, on_progress, tests, rl=str(rl or "")))


def _estimate(
    settings: Mapping[str, Any], folder: Path, gpus: int, longest: int | None, *, hub: bool
) -> Estimate:
    from ftui.estimate.architecture import CannotSay
    from ftui.estimate.estimate import estimate
    from ftui.runtimes.model_shape import find_shape

    base_model = settings.get("base_model")
    if not isinstance(base_model, str):
        raise CannotSay("there is no base model yet")
    return estimate(settings, find_shape(base_model, folder, hub=hub), gpus, longest)


def _edit(app: App[Any], path: Path) -> None:
    from ftui.tui.editor import edit

    edit(app, path)


def _save(plan: Plan, shown: str) -> Plan:
    from ftui.config.text import save
    from ftui.plan.own_config import needs_of
    from ftui.plan.yaml_source import read

    text = save(plan, shown, plan.preset.text)
    settings = read(text).data
    return plan.begun_with(text, settings, needs_of(settings))


def _missing(plan: Plan) -> dict[Kind, float]:
    from ftui.runtimes import find
    from ftui.runtimes.pins import PYTHONS, recipe
    from ftui.targets import get
    from ftui.targets.machine import detect

    missing = [kind for kind in get(plan.target).needs_runtimes if find(kind) is None]
    gpu = bool(missing and detect().gpus)
    newest = max(PYTHONS)
    return {kind: recipe(kind, newest, gpu=gpu, torch_at_hand=False).disk_gib for kind in missing}


def _install(kind: Kind, on_progress: Callable[[Progress], None], cancel: Event) -> None:
    from ftui.runtimes.install import install
    from ftui.targets.machine import detect

    install(kind, detect(), on_progress, cancel=cancel)


def _prepare(plan: Plan, config_text: str) -> Run:
    from ftui.targets import get
    from ftui.targets.documents import write_documents
    from ftui.targets.prepare import prepare

    made = prepare(plan, get(plan.target), config_text)
    write_documents(made, plan)
    return made


def _launch(plan: Plan, run: Run) -> None:
    from ftui.targets import get
    from ftui.targets.launch import launch

    launch(get(plan.target), run)


@dataclass(frozen=True)
class Services:
    """The functions behind the screens. All but `validator` and `edit` may block for a while."""

    survey: Callable[[], World] = _survey
    """What can be chosen on this machine."""
    facts: Callable[[Plan], Facts] = _facts
    """What a plan comes to. Raises UsageError."""
    lint: Callable[[str, Sequence[Gpu] | None], list[Issue]] = _lint
    """What ftui has against a config that is to run on these GPUs; None = the target lacks them."""
    mend: Callable[[str, Sequence[Gpu] | None], str] = _mend
    """The config with everything written anew for which there is one way to write it."""
    validator: Callable[[], AbstractAsyncContextManager[ConfigChecker]] = _validator
    """axolotl's own opinion. Entering it raises RuntimeMissing when there is no axolotl."""
    count: Count = _count
    """What axolotl makes of the data of a config that is to run on these GPUs, with word of how far
    it is. Raises DatasetError, RuntimeMissing, TimedOut; cancelled, it ends its process."""
    look: Callable[[str, Callable[[int], None]], list[Look]] = _look
    """What ftui itself finds in every row of a config's datasets. Raises ConfigError, and what its
    progress raises."""
    estimate: Estimator = _estimate
    """What a training needs of a GPU; quick, but where the model hub is asked. Raises CannotSay."""
    market: Callable[[Plan], Market | None] = _market
    """What a plan's target has on offer, and at what price; None where it rents nothing. Asks a
    server. Raises UsageError, TargetUnavailable."""
    edit: Callable[[App[Any], Path], None] = _edit
    """The person's editor on a file; it may go on beside the app. Raises FtuiError."""
    save: Callable[[Plan, str], Plan] = _save
    """Writes the shown config back into the person's own file; the same answers as a plan that
    begins with what the file holds then. Raises ConfigError."""
    missing: Callable[[Plan], dict[Kind, float]] = _missing
    """The runtimes to make before a run can be trained and talked with, and their GiB of disk."""
    install: Callable[[Kind, Callable[[Progress], None], Event], None] = _install
    """Makes a runtime. Raises RuntimeMissing, Interrupted."""
    prepare: Callable[[Plan, str], Run] = _prepare
    """Writes a run's files; the text is the config as it was shown. Raises FtuiError."""
    launch: Callable[[Plan, Run], None] = _launch
    """Starts a prepared run, or removes it (targets/launch.py). Raises FtuiError."""
