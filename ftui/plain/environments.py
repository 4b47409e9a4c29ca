"""The runtimes in plain lines: set-up and doctor."""

from __future__ import annotations

import itertools
from pathlib import Path

from ftui.errors import ExitCode
from ftui.plain import console


def setup(kind: str | None, *, python: Path | None, print_python: bool) -> None:
    """Make one runtime or both; what is there is reused."""
    from ftui.runtimes import Kind, require

    for wanted in [Kind(kind)] if kind else list(Kind):
        if print_python:
            console.line(str(require(wanted).python))
        else:
            make(wanted, python=python)


def make(kind: str, *, python: Path | None = None) -> None:
    """Make one runtime, telling each phase on a line of its own."""
    from ftui.runtimes import Kind
    from ftui.runtimes.install import Progress, install
    from ftui.targets.machine import detect

    last = ""

    def show(progress: Progress) -> None:
        nonlocal last
        if progress.phase != last:
            last = progress.phase
            console.say(f"◌ {kind} runtime: {progress.words}")

    runtime = install(Kind(kind), detect(), show, python=python)
    console.say(f"✓ {kind} runtime: {runtime.python}")


def doctor(*, as_json: bool) -> int:
    """Every finding on a line as it comes; 3 when something that is needed is broken."""
    from ftui.runtimes import doctor
    from ftui.targets import reach

    findings = []
    for finding in itertools.chain(doctor.examine(), reach.examine()):
        findings.append(finding)
        if not as_json:
            console.line(f"{'✓' if finding.ok else '✗'} {finding.name:<16} {finding.evidence}")
            if finding.hint:
                console.line(f"  {'':<16} → {finding.hint}")
    if as_json:
        console.document(
            [{"name": f.name, "ok": f.ok, "evidence": f.evidence, "hint": f.hint} for f in findings]
        )
    return ExitCode.OK if all(finding.ok for finding in findings) else ExitCode.UNAVAILABLE
