"""What axolotl makes of the data of a config, from one warm process of the train runtime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ftui.data.source import missing
from ftui.data.tokens import Failed, Malformed, Tokens, parse, parse_failed
from ftui.errors import DatasetError
from ftui.paths import is_on_volume
from ftui.plan.hardware import Gpu
from ftui.runtimes.validator import request
from ftui.runtimes.worker import START_LIMIT, Job, Progress, Worker

ANSWER_LIMIT = 180.0
"""Seconds between two lines of progress: the longest gap is the packing of many rows."""

_WHAT = {
    "config": ("axolotl refuses this config", "ftui check tells where"),
    "tokenizer": ("the tokenizer cannot be loaded", "the base model has to be on this machine"),
    "dataset": (
        "the dataset cannot be loaded",
        "a row may be broken, or the file cut off, or laid out otherwise than its name says",
    ),
    "template": (
        "axolotl cannot use the rows",
        "another type may fit them; ftui data FILE --convert writes them in one",
    ),
    "streaming": ("these rows cannot be counted", "the training itself shows how they go"),
    "rl": ("these rows cannot be counted", "the training itself shows how they go"),
}


class DatasetWorker:
    """An async context manager around the worker. Entering returns at once."""

    def __init__(
        self, *, start_limit: float = START_LIMIT, answer_limit: float = ANSWER_LIMIT
    ) -> None:
        job = Job(
            "axolotl_dataset.py", "axolotl's look at the data", "count the rows", answer_limit
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

    async def look(
        self,
        config_text: str,
        folder: Path,
        gpus: Sequence[Gpu] | None,
        *,
        show: int = 5,
        on_progress: Progress | None = None,
    ) -> Tokens:
        """What becomes of the data of a config that is to run on these GPUs.

        Relative paths in it begin at `folder`; `show` rows of every dataset come with all of
        their tokens. `on_progress` hears {"phase", "done", "total"}; the phases are tokenizer,
        reading, tokenizing and counting, and total 0 = nobody knows.

        Raises DatasetError when the data cannot be counted, RuntimeMissing when the worker dies,
        TimedOut when it says nothing any more; the next call starts a new one.
        """
        answer = await self._worker.ask(self._request(config_text, folder, gpus, show), on_progress)
        try:
            if "failed" in answer:
                raise explained(parse_failed(answer["failed"]))
            return parse(answer)
        except Malformed as error:
            raise self._worker.failed(f"its answer is not as agreed: {error}") from error

    @staticmethod
    def _request(
        config_text: str, folder: Path, gpus: Sequence[Gpu] | None, show: int
    ) -> dict[str, Any]:
        world = max(1, len(gpus or ()))
        asked = {"folder": str(folder.absolute()), "show": show, "world": world}
        return request(config_text, gpus) | asked


def explained(failed: Failed) -> DatasetError:
    """The error that tells why there is nothing to count."""
    if failed.path and is_on_volume(failed.path):
        return missing(Path(failed.path))
    what, hint = _WHAT.get(failed.stage, _WHAT["dataset"])
    why = failed.message
    if "logged above" in why and failed.log:
        why = f"{why} {failed.log[-1]}"
    return DatasetError(what, where=failed.path, why=why, hint=hint)
