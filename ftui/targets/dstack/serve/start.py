"""A service on dstack from its submission until both models answer, and its log ever after."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urljoin

from ftui.errors import FtuiError, TargetUnavailable, TimedOut
from ftui.targets.dstack import states
from ftui.targets.dstack.api import LOGS_AT_ONCE, Api, Json, Unreachable
from ftui.targets.dstack.login import Login
from ftui.targets.dstack.serve import price, send
from ftui.targets.dstack.serve.document import Wish
from ftui.targets.dstack.serve.end import note
from ftui.targets.dstack.shell import ShellFailed
from ftui.targets.endpoint import Endpoint, Phase, Stage
from ftui.targets.vllm import client, readiness
from ftui.targets.vllm import log as server_log
from ftui.text import clock

LIMIT_SECONDS = 3600.0
"""To wait for a machine, pull the image and fetch the model. Large images take ten minutes."""
_POLL_SECONDS = 1.0
_LOG_SECONDS = 5.0
"""How often the log is asked for while somebody talks with the models."""
_LAST_WORDS_SECONDS = 15.0
"""A server hears what a job printed last some seconds after it hears that the job has ended."""
_BY_ITSELF = ("container_exited_with_error", "done_by_runner")
_STAGES = {"pulling": Stage.IMAGE, "running": Stage.STARTING}
"""By what dstack says of a job; before that it waits for a machine."""


class Start:
    """The start of one service, told as it goes."""

    def __init__(
        self, api: Api, wish: Wish, log_file: Path, on_phase: Callable[[Phase], None]
    ) -> None:
        self._api, self._wish, self._log_file, self._on_phase = api, wish, log_file, on_phase
        self._began = time.monotonic()
        self._reached: Stage | None = None
        self._told = ""
        self._runs_since = 0.0
        self._sending, self._sent = False, not wish.cargo.sent
        self._submission, self._after = "", ""
        """Whose log is read, and the time of the newest piece of it."""

    async def until_ready(self) -> Endpoint:
        """Wait until each model has answered one real token.

        Raises TargetUnavailable, RunFailed (vLLM ended, or cannot answer), TimedOut, OSError.
        """
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                endpoint = await self._until_up()
                self._reach(Stage.CHECKING)
                await readiness.ask_each(endpoint)
        except TimeoutError as error:
            raise TimedOut(
                f"dstack did not serve the model within {LIMIT_SECONDS / 60:.0f} min",
                why=self._told,
                hint=f"its log: {self._log_file}",
            ) from error
        self._reach(Stage.READY)
        until = clock(self._runs_since + 3600 * self._wish.hours)
        return replace(endpoint, terms=f"{endpoint.terms} · until {until}")

    async def follow_log(self) -> None:
        """Bring the log home until this is cancelled."""
        while True:
            await asyncio.sleep(_LOG_SECONDS)
            with contextlib.suppress(OSError):  # a full disk keeps nobody from talking
                await self._pull_log()

    async def _until_up(self) -> Endpoint:
        while True:
            run = await self._asked()
            if run is not None:
                standing = states.standing(run)
                self._tell(run, standing)
                await self._pull_log()
                if standing.over:
                    raise await self._ended(run, standing)
                if standing.running and await self._is_up(run):
                    return endpoint_of(run, self._api.login, self._wish, self._log_file)
            await asyncio.sleep(_POLL_SECONDS)

    async def _asked(self) -> Json | None:
        """What dstack says of the service; None while nobody can be asked."""
        try:
            run = await self._api.run(self._wish.name)
        except Unreachable:
            return None
        if run is None:
            raise TargetUnavailable(
                "dstack does not know the model server any more", where=self._wish.name
            )
        tries = states.submissions(run)
        self._submission = tries[-1] if tries else ""
        return run

    async def _is_up(self, run: Json) -> bool:
        if not self._sent:
            self._sent = await self._send(run)
            return False
        if server_log.is_loading(server_log.read(self._log_file)):
            self._reach(Stage.LOADING)
        return await client.is_up(endpoint_of(run, self._api.login, self._wish, self._log_file))

    async def _send(self, run: Json) -> bool:
        """Send what is too large to travel with the configuration; whether it is there."""
        try:
            if not self._sending:
                self._sending = True
                size = sum(here.stat().st_size for here, _ in self._wish.cargo.sent)
                self._note(f"sending the model over ssh: {size / 2**20:,.0f} MiB")
            await send.send(self._wish.cargo.sent, run, await self._api.ssh_key())
        except (Unreachable, ShellFailed) as error:
            self._note(f"the model could not be sent yet: {error}")
            return False
        self._note("the model is there")
        return True

    # ── What is said ─────────────────────────────────────────────────────────────────────────

    async def _ended(self, run: Json, standing: states.Standing) -> FtuiError:
        """Why a service that never answered is over."""
        reason = str((run.get("latest_job_submission") or {}).get("termination_reason") or "")
        if reason in _BY_ITSELF:
            await self._last_words()
            refused = server_log.is_refused_by_hub(server_log.read(self._log_file))
            if refused and not self._wish.has_token:
                return _no_token(refused)
            why = f"exit code {standing.code}"
            return readiness.failed("vLLM ended while it started", self._log_file, why)
        kind = TimedOut if reason == "max_duration_exceeded" else TargetUnavailable
        return kind(
            "dstack ended the model server before it answered",
            why=standing.why or reason.replace("_", " "),
            hint=f"its log: {self._log_file}",
        )

    async def _last_words(self) -> None:
        """Wait until the log holds a reason, or nothing more will come."""
        end = time.monotonic() + _LAST_WORDS_SECONDS
        while not server_log.reason(server_log.read(self._log_file)) and time.monotonic() < end:
            await asyncio.sleep(_POLL_SECONDS)
            await self._pull_log()

    async def _pull_log(self) -> None:
        """All that was printed by now."""
        while self._submission:
            try:
                pieces = await self._api.logs(self._wish.name, self._submission, self._after)
            except TargetUnavailable:  # the models answer all the same
                return
            if not pieces:
                return
            self._after = pieces[-1].time
            with self._log_file.open("ab") as log:
                log.write(b"".join(piece.data for piece in pieces).replace(b"\r\n", b"\n"))
            if len(pieces) < LOGS_AT_ONCE:
                return

    def _tell(self, run: Json, standing: states.Standing) -> None:
        """Say what has changed: the stage, and dstack's own words in the log."""
        job = run.get("latest_job_submission") or {}
        if standing.running and not self._runs_since:
            self._runs_since = time.time()
        if not standing.over:
            self._reach(_STAGES.get(str(job.get("status", "")), Stage.MACHINE))
        words = " · ".join(filter(None, (standing.words, states.place(run))))
        if words != self._told:
            self._told = words
            self._note(words)

    def _reach(self, stage: Stage) -> None:
        stages = list(Stage)
        if self._reached is None or stages.index(stage) > stages.index(self._reached):
            self._reached = stage
            self._on_phase(Phase(stage, time.monotonic() - self._began, self._log_file))

    def _note(self, words: str) -> None:
        note(self._log_file, words)


def _no_token(why: str) -> TargetUnavailable:
    return TargetUnavailable(
        "the base model is gated, and no token of the hub went along from the dstack project",
        why=why,
        hint='agree to its licence on the hub; then dstack secret set hf_token "$HF_TOKEN"',
    )


def endpoint_of(run: Json, login: Login, wish: Wish, log_file: Path) -> Endpoint:
    """Where dstack lets requests through to a service.

    Raises TargetUnavailable where the token would be sent unencrypted, which the login is not.
    """
    url = urljoin(f"{login.url}/", str((run.get("service") or {}).get("url") or ""))
    if login.url.startswith("https:") and not url.startswith("https:"):
        raise TargetUnavailable(
            "the gateway of the dstack project does not encrypt",
            where=url,
            why="your dstack token would be sent for anybody on the way to read",
            hint="give the gateway a certificate",
        )
    return Endpoint(
        base_url=url.rstrip("/"),
        base=None if wish.cargo.models.alone else "base",
        tuned="tuned",
        api_key=login.token,
        log_file=log_file,
        front="the dstack server",
        terms=f"dstack · {price.terms_of(run)}",
    )
