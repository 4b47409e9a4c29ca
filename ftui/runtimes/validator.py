"""axolotl's own validation, from one warm process of the train runtime.

A validation takes a third of a second once axolotl is imported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, Self

from ftui.config.build import EVENTS_PLUGIN
from ftui.config.explain import explain, is_remark
from ftui.config.issue import Issue
from ftui.plan.hardware import Gpu, weakest
from ftui.plan.yaml_source import Source, YamlProblem, mapping
from ftui.runtimes.worker import START_LIMIT, Job, Worker

ANSWER_LIMIT = 60.0
"""Seconds for one validation."""

_ANY_GPU = Gpu("any", 80.0, "sm_90")


class Validator:
    """An async context manager around the worker. Entering returns at once."""

    def __init__(
        self, *, start_limit: float = START_LIMIT, answer_limit: float = ANSWER_LIMIT
    ) -> None:
        job = Job(
            "axolotl_validator.py", "axolotl's own check", "validate the config", answer_limit
        )
        self._worker = Worker(job, start_limit=start_limit)

    async def __aenter__(self) -> Self:
        """Start the worker. Raises RuntimeMissing when there is no train runtime."""
        await self._worker.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the worker."""
        await self._worker.__aexit__(kind, error, trace)

    async def validate(self, config_text: str, gpus: Sequence[Gpu] | None) -> list[Issue]:
        """What axolotl says about a config that is to run on these GPUs; empty = nothing.

        Raises RuntimeMissing when the worker dies, TimedOut when it does not answer; the next
        call starts a new one.
        """
        try:
            source = mapping(config_text)
        except YamlProblem as problem:
            return [Issue("error", "", problem.line, problem.message)]
        answer = await self._worker.ask(request(config_text, gpus))
        if not isinstance(answer.get("issues"), list):
            raise self._worker.failed("it answered something else than it was asked")
        return [issue_at(raw, source) for raw in answer["issues"] if not is_remark(raw["message"])]


def request(config_text: str, gpus: Sequence[Gpu] | None) -> dict[str, Any]:
    """What the worker is asked about a config that is to run on these GPUs."""
    ours = [EVENTS_PLUGIN]  # copied into the run folder; not there to import yet
    return {"config": config_text, "capabilities": capabilities(gpus), "ignore": ours}


def capabilities(gpus: Sequence[Gpu] | None) -> dict[str, Any]:
    """What axolotl's validator wants to know about the target, from its weakest GPU.

    Thresholds as in axolotl 0.19 and transformers 5.16: bf16 and tf32 from Ampere (8.0), fp8 from
    Hopper (9.0). Without a GPU, or with one whose driver does not tell, axolotl itself passes no
    capability and all False. None (nobody knows which GPU it will be) is taken for a Hopper.
    """
    if gpus is None:
        gpus = (_ANY_GPU,)
    capability = weakest(gpus)
    return {
        "bf16": capability >= 80,
        "fp8": capability >= 90,
        "tf32": capability >= 80,
        "n_gpu": max(1, len(gpus)),
        "compute_capability": f"sm_{capability}" if capability else None,
    }


def issue_at(raw: Mapping[str, Any], source: Source) -> Issue:
    """One of the worker's issues in plain words, with its line in the config."""
    path = tuple(str(step) for step in raw["path"])
    line = source.line(path) if path and path[:1] in source.lines else 0
    severity: Literal["error", "warning"] = "error" if raw["severity"] == "error" else "warning"
    return explain(Issue(severity, ".".join(path), line, raw["message"]))
