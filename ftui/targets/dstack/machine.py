"""What becomes of a run's machine once the run is over: whether it still costs something."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ftui.targets.dstack.api import Api, Json, Refused

_GONE = ("terminating", "terminated")


async def afterwards(api: Api, run: Json) -> str:
    """A line for people: `its machine is given back (terminating)`; empty when it had none.

    Raises Unreachable.
    """
    job = run.get("latest_job_submission") or {}
    data = job.get("job_provisioning_data")
    if not data:
        return ""
    try:
        found = next(_of(await api.fleets(), data), None)
    except Refused:  # nobody must miss the end of a run for it
        return ""
    status = str(found.get("status", "")) if found else "terminated"
    if status in _GONE:
        return f"its machine is given back ({status})"
    if data.get("backend") == "remote":
        return f"its machine is {status}; it is the fleet's own, and is not given back"
    idle = (run.get("run_spec") or {}).get("configuration", {}).get("idle_duration")
    seconds = f" for {idle} s" if isinstance(idle, int) else ""
    price = f" (${data.get('price') or 0:.2f}/h until then)"
    return f"its machine is {status}, and is given back when it was unused{seconds}{price}"


def _of(fleets: Iterable[Json], data: Json) -> Iterator[Json]:
    """The instance that a run was on."""
    for fleet in fleets:
        for instance in fleet.get("instances") or ():
            if instance.get("hostname") == data.get("hostname"):
                yield instance
