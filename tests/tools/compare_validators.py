"""Compare ftui's linter with axolotl's own validator on every config in a folder.

python -m tests.tools.compare_validators FOLDER [--gpu sm_90] [--mutate 2000]

Both judge each config for the same GPUs and the same axolotl, that of the train runtime. Exit
code 1: axolotl refuses what ftui calls ok, or ftui says that axolotl refuses what it takes.
Relative paths in the configs begin in the current folder.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ftui.config import schema, shape, verdict
from ftui.config.issue import Issue
from ftui.config.lint import check
from ftui.config.rules import outdated, refused
from ftui.config.rules.outdated.switches import ATTENTION
from ftui.config.rules.rule import Subject
from ftui.plan.yaml_source import read
from ftui.runtimes import Kind
from ftui.runtimes.find import axolotl_version, require
from ftui.runtimes.validator import ANSWER_LIMIT, issue_at, request
from ftui.runtimes.worker import Job, Worker
from tests.tools.corpus import Case, Mutator, read_folder

_ENVIRONMENT = re.compile(
    r"not installed|cannot import the plugin|requires a transformers release|missing one of"
    r"|No module named|requires torch >=|installed transformers"
)
"""What axolotl says of the environment that it runs in, not of the config."""
_UNKNOWN = "does not know"
_NO_CLAIM = re.compile(f"{_UNKNOWN}|, not (true|false)$")
"""What the schema's check says of keys that axolotl ignores, and of `true` where it reads a 1."""
_NEVER_READ = (*ATTENTION, "test_datasets")
"""Keys whose types axolotl lets pass: switches that it takes out before it looks, and datasets
that it reads as another kind where they do not fit, without the keys that this one does not have.
"""


@dataclass(frozen=True)
class Result:
    """What both say about one config. Errors only."""

    case: Case
    ours: tuple[Issue, ...]
    claims: tuple[str, ...]
    """The places of ours that say axolotl refuses."""
    axolotls: tuple[Issue, ...]
    ignored: frozenset[str]
    """The places that axolotl ignores."""
    blocked: str
    """What axolotl needs and has not got here, where it got no further than that."""

    @property
    def refused(self) -> bool:
        """Whether axolotl refuses the config, whatever is installed."""
        return bool(self.axolotls)

    @property
    def missed(self) -> bool:
        """axolotl refuses it, ftui calls it ok."""
        return self.refused and not self.ours

    @property
    def unexplained(self) -> tuple[Issue, ...]:
        """axolotl's errors that no error of ours is about."""
        known = len(self.ours)
        return tuple(
            issue for issue in self.axolotls if len(verdict.merge(self.ours, [issue])) > known
        )

    @property
    def wrong(self) -> tuple[Issue, ...]:
        """Errors of ours that say axolotl refuses, or ignores, what it takes."""
        if self.refused or self.blocked:
            return ()
        return tuple(
            issue
            for issue in self.ours
            if issue.path in self.claims
            or (_UNKNOWN in issue.message and issue.path not in self.ignored)
        )

    @property
    def unnoticed(self) -> set[str]:
        """Keys that axolotl ignores, and no error of ours is at them or around them."""
        told = {issue.path for issue in self.ours}
        return {
            path for path in self.ignored if not any(verdict.inside(path, place) for place in told)
        }


_ORACLE = Job(
    str(Path(__file__).with_name("axolotl_oracle.py")), "the oracle", "judge a config", ANSWER_LIMIT
)
"""axolotl's validator, which here says also what keys it ignores."""


async def _axolotls(case: Case, oracle: Worker) -> tuple[list[Issue], frozenset[str]]:
    """axolotl's issues with a config, and the places that it ignores."""
    answer = await oracle.ask(request(case.text, case.gpus))
    source = read(case.text)
    paths = (".".join(str(step) for step in path) for path in answer["unknown"])
    return [issue_at(raw, source) for raw in answer["issues"]], frozenset(paths)


async def compare(cases: Iterable[Case], version: str, jobs: int = 1) -> list[Result]:
    """Both verdicts on every case."""
    waiting = iter(cases)
    results: list[Result] = []

    async def work() -> None:
        async with Worker(_ORACLE) as oracle:
            for case in waiting:
                results.append(await _result(case, version, oracle))

    await asyncio.gather(*(work() for _ in range(jobs)))
    return results


async def _result(case: Case, version: str, oracle: Worker) -> Result:
    folder = Path.cwd()
    ours = check(case.text, axolotl=version, gpus=case.gpus, folder=folder)
    issues, ignored = await _axolotls(case, oracle)
    errors = [issue for issue in issues if issue.severity == "error"]
    about_it = tuple(issue for issue in errors if not _ENVIRONMENT.search(issue.message))
    return Result(
        case,
        tuple(issue for issue in ours if issue.severity == "error"),
        _claims(case, version),
        about_it,
        ignored,
        "" if about_it else " ".join(issue.message for issue in errors),
    )


def _claims(case: Case, version: str) -> tuple[str, ...]:
    """The places where ftui says that axolotl refuses.

    Where it knows an old spelling it says what to write today, not that axolotl refuses it.
    """
    data = read(case.text).data
    known = schema.known(version)
    subject = Subject(data, known, case.gpus, Path.cwd())
    found = [finding for rule in refused.RULES for finding in rule(subject)]
    old = {each.place for rule in outdated.RULES for each in rule(subject)}
    shapes = [each for each in shape.check(data, known) if each.place not in old]
    found += [each for each in shapes if not _NO_CLAIM.search(each.message)]
    found = [each for each in found if each.place[0] not in _NEVER_READ]
    return tuple(".".join(each.place) for each in found if each.severity == "error")


def runtime_version() -> str:
    """The version of axolotl in the train runtime."""
    version = axolotl_version(require(Kind.TRAIN))
    assert version is not None, "the train runtime does not tell its version of axolotl"
    return version


def report(results: Sequence[Result]) -> int:
    """Print the table and every disagreement. The number of those that are bugs."""
    blocked = [result for result in results if result.blocked]
    results = [result for result in results if not result.blocked]
    missed = [result for result in results if result.missed]
    wrong = [result for result in results if result.wrong]
    both_ok = sum(not result.refused and not result.ours for result in results)
    both_not = sum(result.refused and bool(result.ours) for result in results)
    only_ours = sum(not result.refused and bool(result.ours) for result in results)
    print(f"{len(results) + len(blocked):6} configs")
    print(f"{len(blocked):6} that axolotl cannot judge here: something is not installed")
    print(f"{both_ok:6} both call ok")
    print(f"{both_not:6} both refuse")
    print(f"{only_ours:6} ftui refuses, axolotl takes")
    print(f"{len(missed):6} axolotl refuses, ftui calls ok")
    print(f"{len(wrong):6} ftui says that axolotl refuses or ignores what it takes")
    for result in blocked:
        print(f"BLOCKED {result.case.name}: {result.blocked}")
    _print_bugs(missed, wrong)
    _print_counts("axolotl refuses, ftui calls ok", _messages(missed, "axolotls"))
    rest = [result for result in results if result.ours and result.unexplained]
    _print_counts(
        "both refuse, but for other keys; axolotl's words", _messages(rest, "unexplained")
    )
    _print_counts("ftui alone, on purpose", _on_purpose(results))
    unnoticed = Counter(re.sub(r"\.\d+", "[]", path) for each in results for path in each.unnoticed)
    _print_counts("axolotl ignores the key, ftui says nothing of it", unnoticed)
    return len(missed) + len(wrong)


def _print_bugs(missed: Sequence[Result], wrong: Sequence[Result]) -> None:
    for result in missed:
        for issue in result.axolotls:
            print(f"MISSED {result.case.name}:{issue.line}: {issue.path}\n  {issue.message}")
    for result in wrong:
        for issue in result.wrong:
            print(f"WRONG {result.case.name}:{issue.line}: {issue.path}\n  {issue.message}")


def _messages(results: Iterable[Result], kind: str) -> Counter[str]:
    issues = (issue for result in results for issue in getattr(result, kind))
    return Counter(f"{issue.path}: {issue.message}"[:200] for issue in issues)


def _on_purpose(results: Iterable[Result]) -> Counter[str]:
    return Counter(
        f"{re.sub(r'[.][0-9]+', '[]', issue.path)}: {issue.message}"[:200]
        for result in results
        if not result.refused
        for issue in result.ours
        if issue not in result.wrong
    )


def _print_counts(title: str, counts: Counter[str]) -> None:
    if counts:
        print(f"\n{title}:")
        for words, count in counts.most_common():
            print(f"{count:6} {words}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, print, and say by the exit code whether there is a bug."""
    parser = argparse.ArgumentParser(prog="compare_validators", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--gpu", default="sm_90", help="compute capability of the GPUs")
    parser.add_argument("--mutate", type=int, default=0, help="also judge so many random changes")
    parser.add_argument("--seed", type=int, default=1, help="of the random changes")
    parser.add_argument("--jobs", type=int, default=1, help="axolotl processes at a time")
    options = parser.parse_args(arguments)
    version = runtime_version()
    cases, skipped = read_folder(options.folder, options.gpu)
    print(f"axolotl {version}, judged as {schema.known(version)}, {options.gpu}")
    print(f"{len(skipped)} YAML files are no axolotl config: {', '.join(skipped) or '-'}")
    results = asyncio.run(compare(cases, version, options.jobs))
    bugs = report(results)
    if options.mutate:
        good = [result.case for result in results if not result.refused]
        good.sort(key=lambda case: case.name)
        mutator = Mutator(good, schema.known(version), options.gpu, options.seed)
        changed = mutator.cases(options.mutate)
        print(f"\n{options.mutate} random changes to the {len(good)} that axolotl takes")
        bugs += report(asyncio.run(compare(changed, version, options.jobs)))
    return 1 if bugs else 0


if __name__ == "__main__":
    sys.exit(main())
