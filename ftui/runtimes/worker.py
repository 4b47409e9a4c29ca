"""axolotl's own validation, from one warm process of the train runtime.

Importing axolotl takes 7 s (30 s on a busy machine), a validation after that a third of a second:
a screen starts the worker early and awaits it late.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from ftui.config.explain import explain, is_remark
from ftui.config.issue import Issue
from ftui.errors import RuntimeMissing, TimedOut
from ftui.plan.hardware import Gpu
from ftui.plan.yaml_source import Source, YamlProblem, read
from ftui.runtimes.find import Kind, require
from ftui.runtimes.process import quiet_environment

START_LIMIT = 300.0
"""Seconds until the worker must have imported axolotl."""
ANSWER_LIMIT = 60.0
"""Seconds for one validation."""

_ANY_GPU = Gpu("any", 80.0, "sm_90")
_SCRIPT = Path(__file__).parent / "inside" / "axolotl_validator.py"
_LONGEST_LINE = 16 * 2**20
_OUR_PLUGINS = ("ftui_events.FtuiEvents",)  # copied into the run folder; not there to import yet


class Validator:
    """An async context manager around the worker process.

    Entering starts it and returns at once. It ends with the context, and by itself when ftui
    dies, since its stdin then closes.
    """

    def __init__(
        self, *, start_limit: float = START_LIMIT, answer_limit: float = ANSWER_LIMIT
    ) -> None:
        self._limits = (start_limit, answer_limit)
        self._process: asyncio.subprocess.Process | None = None
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._ready = False
        self._number = 0
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        """Start the worker. Raises RuntimeMissing when there is no train runtime."""
        await self._start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the worker."""
        await self._end()

    async def validate(self, config_text: str, gpus: Sequence[Gpu] | None) -> list[Issue]:
        """What axolotl says about a config that is to run on these GPUs; empty = nothing.

        Raises RuntimeMissing when the worker dies, TimedOut when it does not answer; the next
        call starts a new one.
        """
        try:
            source = read(config_text)
        except YamlProblem as problem:
            return [Issue("error", "", problem.line, problem.message)]
        if not isinstance(source.data, Mapping):
            return [Issue("error", "", 1, "a config is a mapping of axolotl's keys to values")]
        async with self._turn:
            try:
                answer = await self._ask(config_text, capabilities(gpus))
            except BaseException:
                await self._end()  # half an answer may be on its way
                raise
        return [issue_at(raw, source) for raw in answer["issues"] if not is_remark(raw["message"])]

    async def _ask(self, text: str, target: Mapping[str, Any], **more: bool) -> dict[str, Any]:
        """The worker's answer to one request, which holds a list of `issues`."""
        if self._process is None:
            await self._start()
        assert self._process is not None
        assert self._process.stdin is not None
        start_limit, answer_limit = self._limits
        if not self._ready:
            await self._line(start_limit, "import axolotl")
            self._ready = True
        self._number += 1
        request = {
            "id": self._number,
            "config": text,
            "capabilities": target,
            "ignore": _OUR_PLUGINS,
            **more,
        }
        with contextlib.suppress(ConnectionError):  # the read below then tells why
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            await self._process.stdin.drain()
        answer = await self._line(answer_limit, "validate the config")
        if answer.get("id") != self._number or not isinstance(answer.get("issues"), list):
            raise self._failed("it answered something else than it was asked")
        return answer

    async def _line(self, limit: float, task: str) -> dict[str, Any]:
        """The worker's next line, within `limit` seconds."""
        assert self._process is not None
        assert self._process.stdout is not None
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), limit)
        except TimeoutError as error:
            raise TimedOut(
                f"axolotl's check did not {task} within {limit:.0f} s",
                hint="the machine may be busy: try again",
            ) from error
        except ValueError as error:  # asyncio's word for a line over the limit
            raise self._failed("its answer is too long") from error
        if not line.endswith(b"\n"):
            raise self._failed(self._last_words())
        try:
            answer = json.loads(line)
        except ValueError as error:
            raise self._failed("its answer cannot be read") from error
        if not isinstance(answer, dict):
            raise self._failed("its answer cannot be read")
        return answer

    async def _start(self) -> None:
        runtime = require(Kind.TRAIN)
        # Its libraries make temporary folders on import; the end of the worker takes them along.
        self._scratch = tempfile.TemporaryDirectory(prefix="ftui-validator-")
        try:
            with self._noise.open("wb") as noise:
                self._process = await asyncio.create_subprocess_exec(
                    runtime.python,
                    _SCRIPT,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=noise,
                    env=quiet_environment() | {"TMPDIR": self._scratch.name},
                    limit=_LONGEST_LINE,
                    start_new_session=True,
                )
        except OSError as error:
            raise self._failed(error.strerror or str(error)) from error
        self._ready = False

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            if process.stdin is not None:
                process.stdin.close()
            with contextlib.suppress(ProcessLookupError):
                process.kill()  # it holds nothing that could be lost
            await process.wait()
        if self._scratch is not None:
            self._scratch.cleanup()

    @property
    def _noise(self) -> Path:
        """What the worker and its libraries wrote to stderr."""
        assert self._scratch is not None
        return Path(self._scratch.name) / "stderr"

    def _last_words(self) -> str:
        try:
            lines = self._noise.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:  # closed while it was asked: the folder is gone
            return "it was ended"
        return next((line.strip() for line in reversed(lines) if line.strip()), "it ended")

    def _failed(self, why: str) -> RuntimeMissing:
        return RuntimeMissing(
            "axolotl's own check does not work", why=why, hint="ftui doctor tells what is broken"
        )


def capabilities(gpus: Sequence[Gpu] | None) -> dict[str, Any]:
    """What axolotl's validator wants to know about the target, from its weakest GPU.

    Thresholds as in axolotl 0.19 and transformers 5.16: bf16 and tf32 from Ampere (8.0), fp8 from
    Hopper (9.0). Without a GPU, or with one whose driver does not tell, axolotl itself passes no
    capability and all False. None (nobody knows which GPU it will be) is taken for a Hopper.
    """
    if gpus is None:
        gpus = (_ANY_GPU,)
    digits = [gpu.compute_capability.removeprefix("sm_") for gpu in gpus]
    weakest = min((int(text) if text.isdigit() else 0 for text in digits), default=0)
    return {
        "bf16": weakest >= 80,
        "fp8": weakest >= 90,
        "tf32": weakest >= 80,
        "n_gpu": max(1, len(gpus)),
        "compute_capability": f"sm_{weakest}" if weakest else None,
    }


def issue_at(raw: Mapping[str, Any], source: Source) -> Issue:
    """One of the worker's issues in plain words, with its line in the config."""
    path = tuple(str(step) for step in raw["path"])
    line = source.line(path) if path and path[:1] in source.lines else 0
    severity: Literal["error", "warning"] = "error" if raw["severity"] == "error" else "warning"
    return explain(Issue(severity, ".".join(path), line, raw["message"]))
