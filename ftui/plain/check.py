"""`ftui check`: what ftui and axolotl itself have against a config, and `--fix`, which mends it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ftui import paths
from ftui.config import schema
from ftui.config.issue import Issue, error_count
from ftui.config.lint import check as lint
from ftui.config.verdict import merge
from ftui.errors import ConfigError, ExitCode, FtuiError, RuntimeMissing, UsageError
from ftui.plain import console
from ftui.plain.diff import agreed, show_diff
from ftui.plan.hardware import Gpu
from ftui.plan.places import is_index
from ftui.plan.yaml_source import YamlProblem, mapping
from ftui.runtimes.find import Kind, axolotl_version, find
from ftui.text import counted


@dataclass(frozen=True)
class Basis:
    """What a config is judged for: the axolotl that will run it, and the GPUs it will train on."""

    axolotl: str
    gpus: tuple[Gpu, ...]
    not_asked: str
    """Why axolotl itself is not asked; nothing when it is."""
    this_machine: bool
    """Whether the GPUs are this machine's, since no others were named."""

    @property
    def mends_for(self) -> tuple[Gpu, ...] | None:
        """The GPUs that --fix may fit a config to; None = none, for it is not known to run here."""
        return None if self.this_machine else self.gpus


def check(
    config: Path,
    *,
    as_json: bool = False,
    fix: bool = False,
    yes: bool = False,
    gpu: str | None = None,
    axolotl: str | None = None,
) -> int:
    """Check one axolotl config; 2 when axolotl would refuse it or would ignore a key.

    Raises UsageError, and ConfigError when the mended file cannot be written.
    """
    if fix and as_json:
        raise UsageError("--fix and --json exclude each other", hint="--fix shows a diff")
    if yes and not fix:
        raise UsageError("there is nothing to say yes to", hint="-y goes with --fix")
    basis = _basis(gpu, axolotl)
    try:
        text = paths.read_config(config)
    except ConfigError as error:
        message = f"{error.what}: {error.why}" if error.why else error.what
        unreadable = Issue("error", "", 0, message, error.hint)
        return _report(_Verdict([unreadable], judged=False), config, basis, as_json=as_json)
    if fix:
        text = _mended(config, text, basis, yes=yes)
    return _report(_verdict(text, basis), config, basis, as_json=as_json)


def _basis(gpu: str | None, axolotl: str | None) -> Basis:
    """What to judge for, from the options. Raises UsageError."""
    try:
        runtime = find(Kind.TRAIN)
    except RuntimeMissing as error:
        console.say(f"▲ {error}")
        runtime = None
    installed = axolotl_version(runtime) if runtime else None
    axolotl = _version(axolotl) if axolotl is not None else None
    not_asked = ""
    if runtime is None:
        not_asked = "there is no train runtime (ftui setup train)"
    elif axolotl and not f"{installed}.".startswith(f"{axolotl}."):
        not_asked = f"the train runtime has axolotl {installed or 'of an unknown version'}"
    version = axolotl or installed or schema.NEWEST
    if not schema.has(version):
        used = schema.known(version)
        console.say(f"▲ ftui has no schema of axolotl {version}: {used}'s is used")
    return Basis(version, _gpus(gpu), not_asked, this_machine=gpu is None)


def _version(named: str) -> str:
    """A version as it was named: `0.21`, `v0.21` or `latest`. Raises UsageError."""
    version = schema.NEWEST if named == "latest" else named.removeprefix("v")
    if not all(map(is_index, version.split("."))):
        raise UsageError(f"{named!r} is no version", hint=f"for example {schema.NEWEST}")
    return version


def _gpus(named: str | None) -> tuple[Gpu, ...]:
    if named is None:
        from ftui.targets import get

        return get("local").hardware().gpus
    from ftui.plan.gpus import parse

    return parse(named)


def _mended(config: Path, text: str, basis: Basis, *, yes: bool) -> str:
    """The mended text, once it is written; the old one when there was nothing to do, or a no."""
    from ftui.config.fix import modernise

    new = modernise(text, axolotl=basis.axolotl, gpus=basis.mends_for)
    if new == text:
        console.say("Nothing here can be mended without you.")
        return text
    show_diff(text, new, str(config))
    if not (yes or agreed()):
        console.say("Nothing was written.")
        return text
    paths.write_back(config, new, known=text)
    console.say(f"✓ {config} is written.")
    return new


@dataclass(frozen=True)
class _Verdict:
    """What came out: all issues, how many `--fix` mends, and whether axolotl itself was heard."""

    issues: Sequence[Issue]
    mendable: int = 0
    axolotl_heard: bool = False
    judged: bool = True
    """Whether there was something to judge: a file that can be read."""


def _verdict(text: str, basis: Basis) -> _Verdict:
    ours = lint(text, axolotl=basis.axolotl, gpus=basis.gpus, folder=Path.cwd())
    try:
        mapping(text)
    except YamlProblem:
        return _Verdict(ours)
    mendable = _mendable(text, ours, basis)
    theirs = _axolotls_issues(text, basis)
    if theirs is None:
        return _Verdict(ours, mendable)
    return _Verdict(merge(ours, theirs), mendable, axolotl_heard=True)


def _mendable(text: str, ours: Sequence[Issue], basis: Basis) -> int:
    """How many of our issues --fix mends."""
    found = ours
    if basis.mends_for != basis.gpus:
        found = lint(text, axolotl=basis.axolotl, gpus=basis.mends_for)
    told = set(ours)
    return sum(bool(issue.edits) and issue in told for issue in found)


def _axolotls_issues(text: str, basis: Basis) -> list[Issue] | None:
    """What axolotl itself says; None when it cannot be asked."""
    if basis.not_asked:
        console.say(f"▲ axolotl itself was not asked: {basis.not_asked}")
        return None
    import asyncio

    console.say("asking axolotl itself …")
    try:
        return asyncio.run(_ask(text, basis.gpus))
    except FtuiError as error:
        console.say(f"▲ axolotl itself was not heard: {error}")
        return None


async def _ask(text: str, gpus: Sequence[Gpu]) -> list[Issue]:
    from ftui.runtimes.validator import Validator

    async with Validator() as validator:
        return await validator.validate(text, gpus)


def _report(verdict: _Verdict, config: Path, basis: Basis, *, as_json: bool) -> int:
    issues = verdict.issues
    bad = error_count(issues) > 0
    if as_json:
        console.document({"ok": not bad, "issues": [issue.document() for issue in issues]})
    else:
        for issue in issues:
            console.line(issue_words(issue, str(config)))
    console.say(_counted(verdict))
    if verdict.judged:
        console.say(f"  {_judged_by(verdict, basis)}")
    return ExitCode.USAGE if bad else ExitCode.OK


def issue_words(issue: Issue, file: str) -> str:
    """`✗ config.yml:7:datasets.0.type: message` and the hint on its own line."""
    glyph = "✗" if issue.severity == "error" else "▲"
    hint = f"\n    → {issue.hint}" if issue.hint else ""
    where = ":".join(filter(None, (file, str(issue.line or ""), issue.path)))
    return f"{glyph} {where}: {issue.message}{hint}"


def _counted(verdict: _Verdict) -> str:
    """`✗ 2 errors, 1 warning · 1 can be mended with --fix`."""
    errors = error_count(verdict.issues)
    warnings = len(verdict.issues) - errors
    parts = [counted(errors, "error") if errors else "no errors"]
    parts += [counted(warnings, "warning")] if warnings else []
    tail = f" · {verdict.mendable} can be mended with --fix" if verdict.mendable else ""
    return f"{'✗' if errors else '✓'} {', '.join(parts)}{tail}"


def _judged_by(verdict: _Verdict, basis: Basis) -> str:
    """`by axolotl 0.19.0's schema and axolotl itself, for 1 × NVIDIA A10`."""
    itself = " and axolotl itself" if verdict.axolotl_heard else ""
    gpus = f"{len(basis.gpus)} × {basis.gpus[0].name}" if basis.gpus else "a CPU"
    other = (
        "; --gpu a10 judges for another machine" if basis.this_machine and not basis.gpus else ""
    )
    return f"by axolotl {schema.known(basis.axolotl)}'s schema{itself}, for {gpus}{other}"
