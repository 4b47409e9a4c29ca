"""dstack as a target: runs are submitted to a server, followed detached, and outlive ftui."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from ftui.errors import FtuiError, TargetUnavailable
from ftui.plan.hardware import Hardware
from ftui.plan.plan import Plan
from ftui.runs.model import Run, RunRecord
from ftui.targets.base import GoingOn, Problem
from ftui.targets.dstack import login, options, parcel
from ftui.targets.dstack.document import DOCUMENT
from ftui.targets.dstack.ending import abort
from ftui.targets.dstack.orders import Orders
from ftui.targets.dstack.submit import remember, remembered, write_files
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

    def hardware(self) -> Hardware:
        """Nobody's in particular: whatever is asked for is looked for. Asks no server."""
        try:
            account = login.find()
        except TargetUnavailable as error:
            return Rented(cores=0, memory_gib=0.0, place=error.what)
        return Rented(cores=0, memory_gib=0.0, place=f"project {account.project}, {account.url}")

    def problems(self, plan: Plan) -> list[Problem]:
        """No login, or data too large to travel. The server itself is asked at the launch."""
        found = []
        try:
            login.find()
        except TargetUnavailable as error:
            found.append(Problem(error.what, error.hint))
        size = _size(plan)
        if size > parcel.TOTAL_BYTES:
            most = parcel.TOTAL_BYTES >> 20
            found.append(
                Problem(
                    f"{size / 2**20:.0f} MiB of models and data would travel; {most} MiB is most",
                    "name them by their hub ids, or put them on a volume",
                )
            )
        return found

    def command(self, plan: Plan) -> tuple[str, ...]:
        """What submits the run by hand."""
        return ("dstack", "apply", "-f", DOCUMENT)

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
        return abort(str(kept["project"]), str(kept["name"]))


def _write(run: Run, plan: Plan) -> None:
    remember(run, {"options": dataclasses.asdict(options.parse(plan.machine))})
    write_files(run, plan.preset.needs)


def _size(plan: Plan) -> int:
    try:
        from ftui.config.build import build

        return parcel.total_bytes(build(plan))
    except (OSError, FtuiError):  # the config check names the file
        return 0
