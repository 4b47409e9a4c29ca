"""What dstack says of a run, in words, and what it means for ftui."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_Json = Mapping[str, Any]
_OVER = ("done", "failed", "terminated")
JOB_OVER = ("done", "failed", "terminated", "aborted")
"""What dstack says of a job that costs nothing more."""
_UNKNOWN_CODE = 1
_MISSING = re.compile(r"missing vars: \['secrets\.(?P<name>[^']+)'")

_WORDS: Mapping[str, str] = {
    "submitted": "looking for a machine",
    "pending": "waiting for a machine, tries again",
    "provisioning": "starting the machine",
    "pulling": "pulling the image",
    "running": "running",
    "terminating": "ending",
    "terminated": "ended",
    "aborted": "ended at once",
    "failed": "failed",
    "done": "done",
}

_REASONS: Mapping[str, str] = {
    "failed_to_start_due_to_no_capacity": "no machine could be had for it",
    "interrupted_by_no_capacity": "its machine was taken away (spot interruption)",
    "instance_unreachable": "its machine does not answer any more",
    "instance_access_revoked": "the project may not use its machine any more",
    "waiting_instance_limit_exceeded": "its machine did not start in time",
    "waiting_runner_limit_exceeded": "the image was not pulled and started in time",
    "volume_error": "a volume could not be used",
    "terminated_by_user": "it was stopped",
    "aborted_by_user": "it was ended at once",
    "terminated_by_server": "the dstack server ended it",
    "inactivity_duration_exceeded": "nobody was attached for as long as its configuration allows",
    "terminated_due_to_utilization_policy": "its GPUs were used too little (utilization_policy)",
    "ports_binding_failed": "a port that it needs is taken on its machine",
    "creating_container_error": "its container could not be made",
    "executor_error": "its container failed before training began",
    "max_duration_exceeded": "it reached its time limit (max_duration)",
    "log_quota_exceeded": "it printed more than the server keeps (log quota)",
}
_NO_CAPACITY, _TAKEN_AWAY = "failed_to_start_due_to_no_capacity", "interrupted_by_no_capacity"
_BY_ITSELF = ("container_exited_with_error", "done_by_runner")
"""The trainer's own end: its exit code and its log say more."""


@dataclass(frozen=True)
class Standing:
    """Where a run on dstack stands."""

    words: str
    """For people: `pulling the image, 42 %`."""
    over: bool
    running: bool
    """Whether its container runs."""
    code: int = 0
    """The exit code once it is over."""
    why: str = ""
    """Why it ended, where it is not the trainer's own doing."""


def standing(run: _Json) -> Standing:
    """What a run's JSON says (`runs/get`)."""
    job: _Json = run.get("latest_job_submission") or {}
    status, job_status = str(run.get("status", "")), str(job.get("status", ""))
    over = status in _OVER
    # A run is `provisioning` while its job is `pulling`, and `submitted` while it is retried.
    shown = job_status if status in ("submitted", "provisioning", "running") else status
    words = _WORDS.get(shown, shown) + _progress(job)
    if shown == "pending" and job.get("termination_reason") == _TAKEN_AWAY:
        words = f"{_REASONS[_TAKEN_AWAY]}, looks for another one"
    if not over:
        return Standing(words, over=False, running=job_status == "running")
    code, why = _ending(run, status, job)
    return Standing(words, over=True, running=False, code=code, why=why)


def place(run: _Json) -> str:
    """Where a run has got a machine: `aws eu-west-1 g5.xlarge, $1.01/h`; empty before that."""
    data = (run.get("latest_job_submission") or {}).get("job_provisioning_data")
    if not data or run.get("status") == "pending":  # it has lost the one that it had
        return ""
    if data.get("backend") == "remote":
        return f"{data.get('hostname') or 'a machine'} of a fleet of one's own"
    names = (data.get("backend"), data.get("region"), (data.get("instance_type") or {}).get("name"))
    return f"{' '.join(str(name) for name in names if name)}, ${data.get('price') or 0:.2f}/h"


def submissions(run: _Json) -> list[str]:
    """The ids of every try of the run's first job, the oldest first."""
    jobs = run.get("jobs") or ()
    return [str(one["id"]) for one in jobs[0].get("job_submissions") or ()] if jobs else []


def tried_again(run: _Json, submission: str) -> str:
    """Why dstack begins again after a try, in words; empty where that one never had a machine."""
    jobs = run.get("jobs") or ()
    tries = (jobs[0].get("job_submissions") or ()) if jobs else ()
    reasons = {str(one["id"]): one.get("termination_reason") for one in tries}
    reason = str(reasons.get(submission) or "")
    if reason == _NO_CAPACITY:
        return ""
    why = f"{_REASONS[reason]}: " if reason in _REASONS else ""
    return f"{why}another try, on another machine"


def newest(run: _Json) -> list[_Json]:
    """The newest try of each of the run's jobs: one a machine."""
    tries = (job.get("job_submissions") or () for job in run.get("jobs") or ())
    return [each[-1] for each in tries if each]


def _progress(job: _Json) -> str:
    progress = job.get("image_pull_progress") or {}
    done, total = progress.get("downloaded_bytes"), progress.get("total_bytes")
    if job.get("status") == "pulling" and done and total:
        return f", {100 * done / total:.0f} % of {total / 2**30:.1f} GiB"
    return ""


def _ending(run: _Json, status: str, job: _Json) -> tuple[int, str]:
    """The exit code, and why it is no 0."""
    if status == "done":
        return 0, ""
    jobs = newest(run)
    failed = [number for number, one in enumerate(jobs) if one.get("status") == "failed"]
    if job.get("status") == "failed" or not failed:
        return _code(job), _why(run, job)
    number = failed[0]  # of several machines, another one than the first
    name = (run.get("run_spec") or {}).get("run_name", "RUN")
    code = _code(jobs[number])
    why = _why(run, jobs[number]) or f"exit code {code}"
    told = f"machine {number + 1} of {len(jobs)} failed: {why}"
    return code, f"{told}; its output: dstack logs {name} --job {number}"


def _code(job: _Json) -> int:
    code = job.get("exit_status")
    return code if isinstance(code, int) and code else _UNKNOWN_CODE


def _why(run: _Json, job: _Json) -> str:
    reason = str(job.get("termination_reason") or run.get("termination_reason") or "")
    message = str(job.get("termination_reason_message") or "")
    if reason in _BY_ITSELF and job.get("exit_status"):
        return ""
    missing = _MISSING.search(message)
    if missing:
        return f"the project has no secret {missing['name']}: dstack secret set {missing['name']}"
    words = _REASONS.get(reason, reason.replace("_", " "))
    return f"{words} ({message.rstrip('.')})" if message else words
