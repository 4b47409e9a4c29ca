"""The REST API of a dstack server: one method a question, every failure in words.

Shapes are those of dstack 0.22.5. No version header is sent: a server refuses a newer client, and
takes any that says nothing.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from ftui.errors import TargetUnavailable
from ftui.targets.dstack import states
from ftui.targets.dstack.login import Login
from ftui.targets.loopback import is_here

if TYPE_CHECKING:
    import httpx2

Json = Mapping[str, Any]
_SECONDS = 30.0
_CONNECT_SECONDS = 5.0
LOGS_AT_ONCE = 1000
"""The most log entries that one answer may hold."""
_OFFERS = 50


class Unreachable(TargetUnavailable):
    """The server does not answer, or cannot at the moment: worth another try."""


class Refused(TargetUnavailable):
    """The server answers no. `code` is its own word for it, such as `resource_not_exists`."""

    def __init__(self, what: str, *, code: str = "", where: str = "", hint: str = "") -> None:
        super().__init__(what, where=where, hint=hint)
        self.code = code


class Foreign(Refused):
    """What answers is no dstack server: nobody knows what became of the question."""


class LogEntry(NamedTuple):
    """A piece of a job's output, as it came from its terminal: not a line."""

    time: str
    """ISO 8601. No two pieces of a job have the same."""
    data: bytes


class Api:
    """A connection to the server of a login; an async context manager."""

    def __init__(self, login: Login) -> None:
        self.login = login
        self._client: httpx2.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        import httpx2

        self._client = httpx2.AsyncClient(
            base_url=self.login.url,
            headers={"Authorization": f"Bearer {self.login.token}"},
            timeout=httpx2.Timeout(_SECONDS, connect=_CONNECT_SECONDS),
            trust_env=not is_here(self.login.url),  # a proxy has no part in what stays here
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._client is not None
        await self._client.aclose()

    # ── Asking ───────────────────────────────────────────────────────────────────────────────

    async def plan(self, run_spec: Json, *, most: int = _OFFERS, to_run: bool = True) -> Json:
        """What would become of a run: `{"run_spec", "current_resource", "job_plans": […]}`.

        It tells the cheapest `most` offers; of all fleets that are named, where it is not `to_run`,
        else of the one fleet that would be taken.
        """
        body = {"run_spec": run_spec, "max_offers": most, "for_offers_only": not to_run}
        return self._object(await self._project("runs/get_plan", body), "run_spec", "job_plans")

    async def run(self, name: str) -> Json | None:
        """A run by its name; None when there is none."""
        try:
            answer = await self._project("runs/get", {"run_name": name})
        except Refused as refused:
            if refused.code == "resource_not_exists":
                return None
            raise
        return self._object(answer, "id", "status", "jobs")

    async def own_run(self, name: str, id: str) -> Json | None:
        """The run of that name if it is the one of that id; an empty id is not known, and any.

        A name is free again once its run is over: somebody else's may have it since.
        """
        found = await self.run(name)
        return found if found is not None and id in ("", str(found.get("id"))) else None

    async def version(self) -> str:
        """The server's version, `0.22.5`; empty where it does not tell."""
        told = self._object(await self._post("/api/server/get_info", {}), "server_version")
        return str(told["server_version"] or "")

    async def fleets(self) -> list[Json]:
        """The project's fleets, with their instances."""
        return self._objects(await self._project("fleets/list", {}))

    async def secrets(self) -> frozenset[str]:
        """The names of the project's secrets."""
        found = self._objects(await self._project("secrets/list", {}), "name")
        return frozenset(str(one["name"]) for one in found)

    async def logs(self, run_name: str, submission: str, after: str) -> list[LogEntry]:
        """The next pieces of a job's output after a time; empty `after` = from its beginning."""
        body = {
            "run_name": run_name,
            "job_submission_id": submission,
            "limit": LOGS_AT_ONCE,
            "start_time": after or None,
        }
        answer = self._object(await self._project("logs/poll", body), "logs")
        found = self._objects(answer["logs"], "timestamp", "message")
        return [LogEntry(one["timestamp"], base64.b64decode(one["message"])) for one in found]

    async def ssh_key(self) -> str:
        """The private key with which the person's own containers are reached."""
        user = self._object(await self._post("/api/users/get_my_user", {}), "ssh_private_key")
        return str(user["ssh_private_key"] or "")

    # ── Changing ─────────────────────────────────────────────────────────────────────────────

    async def apply(self, plan: Json) -> Json:
        """Start the run that was planned; Refused where one of its name is at work.

        Without a `current_resource`, the server changes no run that is there already.
        """
        chosen = {"run_spec": plan.get("run_spec"), "current_resource": None}
        answer = await self._project("runs/apply", {"plan": chosen, "force": False})
        return self._object(answer, "id", "status")

    async def stop_own(self, name: str, id: str, *, abort: bool) -> bool:
        """Interrupt a run, or end it at once; False where it is not at work any more."""
        found = await self.own_run(name, id)
        if found is None or states.standing(found).over:
            return False
        await self.stop(name, abort=abort)
        return True

    async def stop(self, name: str, *, abort: bool) -> None:
        """The same for whatever run has the name."""
        await self._project("runs/stop", {"runs_names": [name], "abort": abort})

    async def upload(self, archive: bytes) -> str:
        """Hand in a tar archive, unless the server has it; its id."""
        digest = hashlib.sha256(archive).hexdigest()
        try:
            known = await self._post("/api/files/get_archive_by_hash", {"hash": digest})
        except Refused as refused:
            if refused.code != "resource_not_exists":
                raise
            known = await self._send("/api/files/upload_archive", files={"file": (digest, archive)})
        return str(self._object(known, "id")["id"])

    async def create_secret(self, name: str, value: str) -> None:
        """Keep a secret in the project, or give it another value."""
        await self._project("secrets/create_or_update", {"name": name, "value": value})

    # ── Sending ──────────────────────────────────────────────────────────────────────────────

    async def _project(self, path: str, body: Json) -> Any:
        return await self._post(f"/api/project/{self.login.project}/{path}", body)

    async def _post(self, path: str, body: Json) -> Any:
        return await self._send(path, json=body)

    async def _send(self, path: str, **content: Any) -> Any:
        import httpx2

        assert self._client is not None
        try:
            answer = await self._client.post(path, **content)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise Unreachable(
                "the dstack server does not answer",
                where=self.login.url,
                why=str(error) or type(error).__name__,
                hint="start it (dstack server), or correct its url in ~/.dstack/config.yml",
            ) from error
        if answer.is_error:
            raise self._no(answer)
        try:
            return answer.json() if answer.content else None
        except ValueError as error:
            raise self._foreign() from error

    def _no(self, answer: httpx2.Response) -> TargetUnavailable:
        """The failure behind an answer of 400 and more."""
        try:
            detail = answer.json().get("detail")
        except (ValueError, AttributeError):
            detail = None
        if answer.status_code >= 500:
            what = f"the dstack server fails (HTTP {answer.status_code})"
            return Unreachable(what, where=self.login.url, hint="try it again in a moment")
        if detail is None:
            return self._foreign()
        words, code = said(detail)
        if answer.status_code in (401, 403):
            return Refused(
                f"the dstack server refuses the login to project {self.login.project!r}: {words}",
                code=code or "forbidden",
                where=self.login.url,
                hint="log in again: dstack project add --name NAME --url URL --token TOKEN",
            )
        if answer.status_code == 404 and "/api/project/" in answer.url.path:
            return Refused(
                f"there is no project {self.login.project!r} on the dstack server",
                code="no_project",
                where=self.login.url,
                hint="dstack project list shows those you are logged in to",
            )
        if answer.status_code == 404:
            code = code or "resource_not_exists"
        return Refused(words, code=code, where=self.login.url)

    def _object(self, answer: Any, *keys: str) -> Json:
        """An answer that is an object with these keys. Raises Refused for any other."""
        if not isinstance(answer, dict) or not all(key in answer for key in keys):
            raise self._foreign()
        return answer

    def _objects(self, answer: Any, *keys: str) -> list[Json]:
        """The same for a list of them."""
        if not isinstance(answer, list):
            raise self._foreign()
        return [self._object(one, *keys) for one in answer]

    def _foreign(self) -> TargetUnavailable:
        return Foreign(
            "what answers there is no dstack server, or one of another version",
            where=self.login.url,
            hint="ftui speaks with dstack 0.22; check the url in ~/.dstack/config.yml",
        )


def said(detail: Any) -> tuple[str, str]:
    """The words and the code in the `detail` of a refusal: a text, an object, or a list of them."""
    if isinstance(detail, list):
        parts = [said(one) for one in detail]
        return "; ".join(words for words, _ in parts), parts[0][1] if parts else ""
    if not isinstance(detail, dict):
        return str(detail), ""
    place = ".".join(str(step) for step in detail.get("loc") or ())
    words = str(detail.get("msg") or detail)
    return (f"{place}: {words}" if place else words), str(detail.get("code") or "")
