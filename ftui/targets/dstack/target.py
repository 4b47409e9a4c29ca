"""dstack as a target: runs are submitted to a server, followed detached, and outlive ftui."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager

from ftui.errors import FtuiError, TargetUnavailable, UsageError
from ftui.plan.hardware import Hardware
from ftui.plan.offer import Market
from ftui.plan.plan import Plan
from ftui.runs.model import Run, RunRecord
from ftui.targets.base import GoingOn, Problem
from ftui.targets.dstack import hire, login, market, options, parcel, preflight, together
from ftui.targets.dstack.document import DOCUMENT
from ftui.targets.dstack.ending import abort
from ftui.targets.dstack.orders import Orders
from ftui.targets.dstack.submit import remember, remembered, write_files
from ftui.targets.endpoint import Endpoint, Phase
from ftui.targets.remote.inputs import on_volume
from ftui.targets.remote.rented import Rented
from ftui.targets.remote.supervised import POLL_SECONDS, Supervised, needs_of_run, written


class DstackTarget(Supervised):
    """Machines of a dstack project."""

    name = "dstack"
    title = "dstack"
    module = "ftui.targets.dstack.supervise"
    log = "dstack.log"
    start_seconds = 600.0
    """Uploads may take a while; everything else answers within seconds."""

    wishes = hire.WISHES

    def hardware(self, plan: Plan | None = None) -> Hardware:
        """Nobody's in particular: whatever is asked for is looked for. Asks no server."""
        try:
            account = login.find(plan.project if plan else "")
            place = f"project {account.project}, {account.url}"
        except TargetUnavailable as error:
            place = error.what
        found = Rented(cores=0, memory_gib=0.0, place=place)
        return found.of(hire.gpu_for(plan), plan.gpus) if plan else found

    def problems(self, plan: Plan) -> list[Problem]:
        """No login, or data too large to travel. The server itself is asked at the launch."""
        found = []
        try:
            login.find(plan.project)
        except TargetUnavailable as error:
            found.append(Problem(error.what, error.hint))
        try:
            asked = options.of(plan)
            if asked.nodes > 1:
                together.refuse(plan.gpus, plan.settings, volume=asked.volume)
            found += _volume_problems(plan, asked.volume)
        except UsageError as error:
            found.append(Problem(error.what, error.hint))
        size = _size(plan)
        if size > parcel.TOTAL_BYTES:
            most = parcel.TOTAL_BYTES >> 20
            found.append(
                Problem(
                    f"{size / 2**20:.0f} MiB of models and data would travel; {most} MiB is most",
                    parcel.ELSEWHERE,
                )
            )
        return found

    def command(self, plan: Plan) -> tuple[str, ...]:
        """What submits the run by hand."""
        project = ("--project", plan.project) if plan.project else ()
        return ("dstack", "apply", *project, "-f", DOCUMENT)

    def check(self, machine: Mapping[str, str]) -> None:
        """Raises UsageError for what cannot be asked of a machine."""
        options.parse(machine)

    def write(self, run: Run, plan: Plan) -> None:
        """Write train.dstack.yml, job.sh and what travels, as `dstack apply` wants them.

        Keeps what is asked of the machine in run.json. Asks no server: a launch writes them again,
        with the secrets that the project has. Raises ConfigError, UsageError, RunNotFound,
        TargetUnavailable.
        """
        written(_write, run, plan)

    def reach(self) -> str:
        """The project, the server and its version; empty without a login. Raises
        TargetUnavailable."""
        return preflight.reached() if login.logins() else ""

    def market(self, plan: Plan) -> Market:
        """Every kind of machine that the project can get for a plan, and what an hour costs.

        Takes seconds where clouds are asked. Raises UsageError, TargetUnavailable.
        """
        return market.market(plan)

    def limits(self, plan: Plan) -> str:
        """When it ends at the latest, and what an hour may cost. Raises UsageError."""
        return hire.limits(plan)

    def serve(
        self, run: Run, on_phase: Callable[[Phase], None], hours: float
    ) -> AbstractAsyncContextManager[Endpoint]:
        """The endpoint of base and tuned model on one of the project's machines; see serve/."""
        from ftui.targets.dstack.serve import serving

        return serving.serve(run, on_phase, hours)

    def end_export(self, run: Run, name: str) -> bool:
        """End what a killed chat left of it, which costs by the hour; whether there was one.

        Raises UsageError (somebody uses it), TargetUnavailable, TimedOut, OSError.
        """
        from ftui.targets.dstack.serve import end

        return end.end_left(run, name)

    def serving_terms(self, run: Run) -> str:
        """`L4 · $0.80/h`: what serving the run would cost now. Asks the server.

        Raises FtuiError where it cannot be served.
        """
        from ftui.targets.dstack.serve import price

        return price.serving_terms(run)

    def orders(self, record: RunRecord, going_on: GoingOn, *, attach: bool) -> Orders:
        """What the supervisor is told."""
        return Orders(
            lock=going_on.claim.lock,
            turn=going_on.claim.turn,
            gpus=record.gpus,
            gpu_memory_gib=needs_of_run(record).gpu_memory_gib,
            poll_seconds=POLL_SECONDS,
            checkpoint=going_on.checkpoint,
            told=going_on.told,
            attach=attach,
        )

    def is_known(self, record: RunRecord) -> bool:
        """Whether dstack was ever told of the run."""
        return bool(remembered(record))

    def end(self, run: Run, record: RunRecord) -> bool:
        """Abort the run at once; whether there was one."""
        kept = remembered(record)
        return abort(*(str(kept.get(key, "")) for key in ("project", "name", "id")))


def _volume_problems(plan: Plan, volume: str) -> list[Problem]:
    """Data on a volume that nobody mounts."""
    lying = [] if volume else on_volume(plan.settings)
    what = "lies on a volume, and none is asked for"
    return [Problem(f"{path} {what}", "--machine volume=NAME") for path in lying]


def _write(run: Run, plan: Plan) -> None:
    remember(run, {"options": dataclasses.asdict(options.of(plan))})
    write_files(run, plan.preset.needs)


def _size(plan: Plan) -> int:
    try:
        from ftui.config.build import build

        return parcel.total_bytes(build(plan))
    except (OSError, FtuiError):  # the config check names the file
        return 0
