"""Whether a server that calls itself healthy can answer, and why one failed."""

from __future__ import annotations

from pathlib import Path

from ftui.errors import FtuiError, RunFailed
from ftui.targets.endpoint import Endpoint
from ftui.targets.vllm import client, log

_GREETING = ({"role": "user", "content": "Hi"},)


async def ask_each(endpoint: Endpoint) -> None:
    """Ask each model for one token: an engine that calls itself healthy may die of its first.

    Raises RunFailed, with what the log gives as the reason.
    """
    for model in endpoint.models:
        try:
            await client.answer(endpoint, model, _GREETING, max_tokens=1)
        except FtuiError as error:
            what = f"vLLM serves {model} but cannot answer"
            raise failed(what, endpoint.log_file, error.why or error.what) from error


def failed(what: str, log_file: Path | None, why: str) -> RunFailed:
    """A failure to start, explained by the log where it gives a reason."""
    reason = log.reason(log.read(log_file)) if log_file else ""
    hints = (log.hint(reason), f"its log: {log_file}" if log_file else "")
    return RunFailed(what, why=reason or why, hint="; ".join(filter(None, hints)))
