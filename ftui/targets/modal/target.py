"""Modal as a target: runs are deployed and spawned, followed detached, and outlive ftui."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager

from ftui.errors import TargetUnavailable, UsageError
from ftui.plan.hardware import Hardware
from ftui.plan.offer import Market
from ftui.plan.plan import Plan
from ftui.runs.model import Run, RunRecord
from ftui.runs.stop import Answer
from ftui.runs.store import read_record
from ftui.runs.tail import read_history
from ftui.targets.base import GoingOn, Problem
from ftui.targets.endpoint import Endpoint, Phase
from ftui.targets.modal import app, gpu, hire, login, options, position, volume
from ftui.targets.modal.api import RUNS
from ftui.targets.modal.ending import abort, end_unknown
from ftui.targets.modal.orders import Orders
from ftui.targets.modal.rates import CORES, MEMORY_GIB
from ftui.targets.modal.submit import remember, remembered, write_files
from ftui.targets.refusals import only_on_dstack
from ftui.targets.remote.rented import Rented
from ftui.targets.remote.supervised import POLL_SECONDS, Supervised, needs_of_run, written
from ftui.targets.renting import Exported
from ftui.targets.stored import Fetched, Heap


class ModalTarget(Supervised):
    """Machines that Modal rents by the second."""

    name = "modal"
    title = "Modal"
    module = "ftui.targets.modal.supervise"
    log = "modal.log"
    storage = f"the volume {RUNS}"
    start_seconds = 120.0
    """Nothing is built or uploaded before the supervisor says how it began."""

    wishes = hire.WISHES

    def hardware(self, plan: Plan | None = None) -> Hardware:
        """Nobody's in particular: whatever is asked for. Asks no server."""
        try:
            place = login.require()
        except TargetUnavailable as error:
            place = error.what
        found = Rented(cores=CORES, memory_gib=float(MEMORY_GIB), place=place)
        return found.of(hire.gpu_for(plan), plan.gpus) if plan else found

    def problems(self, plan: Plan) -> list[Problem]:
        """No package, no login, or GPUs that Modal has not. Modal itself is asked at the launch."""
        found = [*only_on_dstack(plan, "Modal")]
        try:
            login.require()
        except TargetUnavailable as error:
            found.append(Problem(error.what, error.hint))
        try:
            found += _gpu_problems(plan)
        except UsageError as error:
            found.append(Problem(error.what, error.hint))
        return found

    def reach(self) -> str:
        """The login and its workspace; empty without one. Raises TargetUnavailable."""
        from ftui.targets.modal.market import reached

        return reached() if login.is_there() else ""

    def market(self, plan: Plan) -> Market:
        """Every GPU of which so many go together, at what it costs. Raises UsageError."""
        from ftui.targets.modal.market import market

        return market(plan)

    def limits(self, plan: Plan) -> str:
        """Hours and dollars at which it ends. Raises UsageError."""
        return hire.limits(plan)

    def stored(self, run: Run) -> tuple[Heap, ...]:
        """What the volume keeps of a run. Raises TargetUnavailable."""
        return volume.stored(run)

    def fetch(self, run: Run, heap: Heap, on_bytes: Callable[[int], None]) -> Fetched:
        """Bring a heap home, verified. Raises TargetUnavailable, OSError."""
        return volume.fetch(run, heap, on_bytes)

    def discard(self, run: Run, heap: Heap) -> None:
        """Remove a heap from the volume for good. Raises UsageError, TargetUnavailable."""
        if self.is_known(read_record(run)) and read_history(run).exit_code is None:
            raise UsageError(
                f"{run.name} may be at work: what it needs there is left alone",
                hint=f"stop it first: ftui stop {run.name}",
            )
        volume.discard(run, heap)

    def command(self, plan: Plan) -> tuple[str, ...]:
        """What starts the run by hand."""
        return ("modal", "run", "--detach", app.FILE)

    def check(self, machine: Mapping[str, str]) -> None:
        """Raises UsageError for what cannot be asked of a machine."""
        options.parse(machine)

    def write(self, run: Run, plan: Plan) -> None:
        """Write modal_app.py and what travels, and keep in run.json what is asked of the machine.

        Asks no server: a launch writes them again, with the secrets that the workspace has. Raises
        ConfigError, UsageError, RunNotFound, TargetUnavailable.
        """
        written(_write, run, plan)

    def orders(self, record: RunRecord, going_on: GoingOn, *, attach: bool) -> Orders:
        """What the supervisor is told."""
        return Orders(
            lock=going_on.claim.lock,
            turn=going_on.claim.turn,
            gpu_memory_gib=needs_of_run(record).gpu_memory_gib,
            poll_seconds=POLL_SECONDS,
            checkpoint=going_on.checkpoint,
            told=going_on.told,
            attach=attach,
        )

    def is_known(self, record: RunRecord) -> bool:
        """Whether Modal was ever told of the run."""
        return bool(remembered(record))

    def serve(
        self, run: Run, on_phase: Callable[[Phase], None], hours: float
    ) -> AbstractAsyncContextManager[Endpoint]:
        """The endpoint of a run's models, for as long as the context lasts (targets/base.py)."""
        from ftui.targets.modal.serving import serve

        return serve(run, on_phase, hours)

    def serving_terms(self, run: Run) -> str:
        """`L4 · $1.12/h`. Raises RunFailed where there is nothing to serve, UsageError."""
        from ftui.targets.modal import deployment

        return deployment.wanted(run).machine.terms

    def export(
        self, run: Run, key: str, hours: float | None, tell: Callable[[str], None]
    ) -> Exported:
        """Leave an endpoint in place (targets/renting.py)."""
        from ftui.targets.modal import export

        return export.export(run, key, hours, tell)

    def end_export(self, run: Run, name: str) -> bool:
        """End an endpoint that was left in place; whether there was one."""
        from ftui.targets.modal import export

        return export.end(run, name)

    def stop(self, run: Run) -> Answer:
        """Ask the run to save and end; asked again, end it at once. Raises OSError, FtuiError.

        One that nobody can follow, because its call was never written down, ends at once.
        """
        answer, known = super().stop(run), remembered(read_record(run))
        ended = answer is not Answer.NOT_RUNNING or read_history(run).exit_code is not None
        if ended or not known or known.get("call") or position.read(run).call:
            return answer
        return Answer.ENDED if end_unknown(run, str(known["app"])) else answer

    def end(self, run: Run, record: RunRecord) -> bool:
        """Cancel the run's call at once; whether there was one."""
        call = position.read(run).call
        return bool(call) and abort(str(remembered(record)["app"]), call)


def _write(run: Run, plan: Plan) -> None:
    remember(run, {"options": dataclasses.asdict(options.parse(plan.machine))})
    write_files(run, plan.preset.needs.gpu_memory_gib)


def _gpu_problems(plan: Plan) -> list[Problem]:
    """A GPU that is too small. Raises UsageError for GPUs that Modal has not."""
    memory = plan.preset.needs.gpu_memory_gib
    usual = gpu.cheapest(memory)
    name = options.parse(plan.machine).gpu or usual.name
    gpu.request(name, plan.gpus)
    offer = gpu.find(name)
    if not plan.gpus or offer.gpu.holds(memory):
        return []
    what = f"needs a GPU with {memory:.0f} GiB; {offer.name} has {offer.gpu.memory_gib:.0f}"
    return [Problem(what, f"--machine gpu={usual.name}")]
