"""The command line: one thin function a command. Nothing heavy is imported before it is needed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ftui import __version__
from ftui.errors import ExitCode, FtuiError
from ftui.text import printable

if TYPE_CHECKING:
    from ftui.plan.plan import Plan
    from ftui.runs.model import Run
    from ftui.runs.tripwires import Tripwire
    from ftui.tui.app import Glyphs

SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
NO_TERMINAL = """\
The wizard needs a terminal. Without one:
  ftui presets                 list the presets
  ftui --preset NAME -y        train and evaluate in plain lines
  ftui --preset NAME --dry-run only write the files
  ftui --config FILE -y        the same from an axolotl config of your own
  ftui --help                  everything else"""


class Hours(click.FloatRange):
    """A number of hours; `nan` is above and below nothing, and no limit at all."""

    name = "hours"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The hours. Raises BadParameter."""
        import math

        hours = float(super().convert(value, param, ctx))
        return self.fail(f"{value} is no number", param, ctx) if math.isnan(hours) else hours


serve_on = click.option(
    "--on", metavar="TARGET", default="local", help="Serve the models there: local, dstack, modal."
)
serve_hours = click.option(
    "--hours",
    type=Hours(0, 24, min_open=True),
    default=1.0,
    show_default=True,
    help="A rented machine is given back after that.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")


class _Cli(click.Group):
    """Ends quietly when whoever reads its output has enough (`ftui logs | head`): that is no
    failure, though click exits with 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            import os

            # What is still to be written at the exit goes where it harms nobody.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            return ExitCode.OK


@click.group(cls=_Cli, invoke_without_command=True, context_settings=SETTINGS)
@click.version_option(__version__, prog_name="ftui")
@click.option("--preset", metavar="NAME", help="Start from a preset (`ftui presets` lists them).")
@click.option("--config", metavar="FILE", help="Start from an axolotl config of your own.")
@click.option(
    "--data", metavar="FILE", help="Your own: JSONL, JSON, CSV, Parquet, …, a folder, a hub id."
)
@click.option(
    "--held-out",
    metavar="SHARE-OR-FILE",
    help="Rows for the eval loss: 5 %, a number of rows, none, or a file.",
)
@click.option("--target", metavar="TARGET", help="Where to train: local, dstack, modal.")
@click.option("--gpus", metavar="N", help="How many GPUs; 0 trains on the CPU.")
@click.option(
    "--machine",
    metavar="KEY=VALUE",
    multiple=True,
    help="Of a rented machine: gpu=A100, max_price=2 (dstack), max_dollars=20 (modal), …",
)
@click.option("--set", "overrides", metavar="KEY=VALUE", multiple=True, help="Any axolotl setting.")
@click.option(
    "--stop-on",
    metavar="TRIP[,TRIP]",
    help="Stop the run on: nan, grad, loss, stall, disk, or all. Else they only warn.",
)
@click.option("-y", "--yes", is_flag=True, help="Ask nothing: train, then evaluate or chat.")
@click.option("--plain", is_flag=True, help="Plain lines and prompts, no full-screen interface.")
@click.option("--dry-run", is_flag=True, help="Only write the run's files and print their folder.")
@click.option(
    "--glyphs",
    type=click.Choice(["braille", "block", "ascii"]),
    default="braille",
    show_default=True,
    help="What curves are drawn with.",
)
@click.pass_context
def cli(context: click.Context, /, **flags: Any) -> None:
    """From an empty terminal to chatting with a model you fine-tuned yourself.

    Without a command: the wizard. With --preset: the wizard, already filled in.
    """
    context.obj = flags
    if context.invoked_subcommand is None:
        context.exit(_start(context, **flags))


def _start(
    context: click.Context,
    *,
    yes: bool,
    plain: bool,
    dry_run: bool,
    glyphs: Glyphs,
    stop_on: str | None,
    **answers: Any,
) -> int:
    trips = _tripwires(stop_on, dry_run=dry_run)
    if answers["preset"] is None and answers["config"] is None and not _has_terminal():
        click.echo(NO_TERMINAL, err=True)
        return ExitCode.USAGE
    if _has_screen() and not plain and not dry_run:
        return _open_screens(answers, yes=yes, glyphs=glyphs, stop_on=trips)
    if not yes and not dry_run and not _has_terminal():
        raise click.UsageError("without a terminal, add -y (train) or --dry-run (only write)")

    from ftui.plain import prompts, whole_way

    plan = _plan(answers, ask=not yes and not dry_run)
    if dry_run:
        return whole_way.write_files(plan)
    return whole_way.run(plan if yes else prompts.ask(plan), trips)


def _tripwires(named: str | None, *, dry_run: bool) -> Sequence[Tripwire]:
    if named is None:
        return ()
    if dry_run:
        raise click.UsageError("--stop-on needs ftui to launch the run; --dry-run does not")
    from ftui.runs.stop_on import parse

    return parse(named)


def _open_screens(
    answers: dict[str, Any], *, yes: bool, glyphs: Glyphs, stop_on: Sequence[Tripwire]
) -> int:
    from ftui.tui.app import Launch, Wizard, run_app

    if not any(answers.values()) and not yes:
        return run_app(Wizard(None), glyphs=glyphs, stop_on=stop_on)
    plan = _plan(answers, ask=not yes)
    opening = Launch(plan) if yes else Wizard(plan)
    return run_app(opening, glyphs=glyphs, stop_on=stop_on)


def _plan(answers: dict[str, Any], *, ask: bool) -> Plan:
    from ftui.plan.flags import plan_from_flags
    from ftui.targets.documents import check_machine
    from ftui.targets.world import survey

    return check_machine(plan_from_flags(survey(), **answers, ask=ask))


@cli.command()
@click.argument("name", required=False)
@as_json
def presets(name: str | None, as_json: bool) -> None:
    """List the presets, or show one."""
    from ftui.plain import listings

    listings.presets(name, as_json=as_json)


@cli.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--fix", is_flag=True, help="Bring old keys to today's: show a diff, ask, write.")
@click.option("-y", "--yes", is_flag=True, help="With --fix: write without asking.")
@click.option("--gpu", metavar="NAME[:COUNT]", help="Judge for these GPUs; none for a CPU.")
@click.option("--axolotl", metavar="VERSION", help="Judge for this version of axolotl.")
@as_json
def check(config: Path, **options: Any) -> int:
    """Check an axolotl config, by ftui and by axolotl itself."""
    from ftui.plain.check import check as check_config

    return check_config(config, **options)


@cli.command()
@click.argument("source", metavar="CONFIG-OR-PRESET-OR-RUN")
@click.option("--gpu", metavar="NAME[:COUNT]", help="Does it fit this one? Exit code 1 if not.")
@click.option("--gpus", metavar="N", type=click.IntRange(1, 4096), help="How many of each machine.")
@click.option("--target", metavar="TARGET", help="What dstack or modal has on offer now.")
@as_json
def fit(source: str, **options: Any) -> int:
    """Tell the GPU memory that a training needs, and which GPUs have it.

    Of a run, what was measured stands beside it.
    """
    from ftui.plain.fit import fit as fit_training

    return fit_training(source, **options)


@cli.command()
@click.argument("source", metavar="FILE")
@click.option("--type", "type_name", metavar="TYPE", help="Read the rows as this.")
@click.option("--columns", metavar="QUESTION,ANSWER[,CONTEXT]", help="Learn these.")
@click.option(
    "--rl",
    "training",
    type=click.Choice(["dpo", "ipo", "simpo", "orpo", "kto"]),
    help="The kind of preference training that will read it.",
)
@click.option("--held-out", metavar="FILE", default="", help="Rows that must not be trained on.")
@click.option("--preset", metavar="NAME", help="Count its tokens and steps as in this training.")
@click.option("--config", metavar="CONFIG", help="The same, for an axolotl config of your own.")
@click.option("--model", metavar="MODEL", help="The same, for this base model.")
@click.option(
    "--show", metavar="ROWS", type=int, help="Rows to show with what is learnt of them: 2."
)
@click.option("--convert", metavar="TYPE", help="Write the rows in another type, with -o.")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Where to write them.")
@click.option("-y", "--yes", is_flag=True, help="Write over a file that is there.")
@as_json
def data(convert: str | None, out: Path | None, yes: bool, as_json: bool, **wish: Any) -> int:
    """Check a dataset: what it is, and what is wrong with its rows.

    FILE is JSONL, JSON, CSV, TSV, Parquet or Arrow, packed or not, a folder of them, or a hub id.
    """
    from ftui.plain import data as doctor
    from ftui.plain import data_convert, data_wish

    asked = data_wish.wished(**wish)
    if (convert is None) != (out is None):
        raise click.UsageError("--convert TYPE and -o OUT go together")
    if convert is not None and out is not None:
        return data_convert.rewrite(asked, convert, out, yes=yes, as_json=as_json)
    return doctor.check(asked, as_json=as_json)


@cli.command()
@click.argument("words", nargs=-1, metavar="[WORD]...")
@click.option(
    "--sort",
    type=click.Choice(["newest", "name", "loss", "state"]),
    default="newest",
    show_default=True,
    help="What comes first.",
)
@click.option("--compare", is_flag=True, help="Put the runs of these names side by side.")
@click.option("--clean", is_flag=True, help="Remove checkpoints and prepared rows; asks before.")
@click.option("--all-of-it", "whole", is_flag=True, help="With --clean NAME: the whole run.")
@click.option("-y", "--yes", is_flag=True, help="With --clean: ask nothing.")
@as_json
@click.pass_obj
def runs(
    flags: dict[str, Any], /, words: tuple[str, ...], sort: str, as_json: bool, **asked: bool
) -> int:
    """List the runs: all, or those that contain each WORD.

    With --compare and --clean the words are names. --clean alone: of all that is done for good.
    """
    from ftui.plain import runs as plain

    compare, clean, whole, yes = (asked[name] for name in ("compare", "clean", "whole", "yes"))
    if compare + clean > 1 or (clean and as_json) or ((whole or yes) and not clean):
        raise click.UsageError("--compare, or --clean [--all-of-it] [-y], or a list; see --help")
    if clean:
        return plain.clean(words, whole=whole, yes=yes)
    if compare:
        return plain.compare(words, as_json=as_json)
    if _has_screen() and not flags["plain"] and not as_json:
        from ftui.tui.app import Runs, run_app

        return run_app(Runs(words, sort), glyphs=flags["glyphs"])
    return plain.listing(words, sort=sort, as_json=as_json)


@cli.command()
@click.argument("run", default="latest")
@click.option("--fetch", metavar="NAME", help="Bring this of it into the run folder, verified.")
@click.option("--remove", metavar="NAME", help="Remove this of it there, for good; asks before.")
@click.option("-y", "--yes", is_flag=True, help="With --remove: ask nothing.")
@as_json
def files(run: str, fetch: str | None, remove: str | None, yes: bool, as_json: bool) -> int:
    """List the files of a run, here or where it was trained: checkpoints, weights, log."""
    from ftui.plain import files_there
    from ftui.runs.store import find

    if (fetch is not None) + (remove is not None) + as_json > 1 or (yes and remove is None):
        raise click.UsageError("--fetch NAME, or --remove NAME [-y], or a list; see --help")
    found = find(run)
    if fetch is not None:
        return files_there.fetch(found, fetch)
    if remove is not None:
        return files_there.discard(found, remove, yes=yes)
    return files_there.listing(found, as_json=as_json)


@cli.command()
@click.argument("run", default="latest")
@click.pass_obj
def watch(flags: dict[str, Any], run: str) -> int:
    """Watch a run, live or afterwards. Any number of viewers may."""
    from ftui.runs.store import find

    return _watch(find(run), flags)


@cli.command()
@click.argument("run", default="latest")
@click.option("-f", "--follow", is_flag=True, help="Go on until the run ends.")
def logs(run: str, follow: bool) -> int:
    """Print what the trainer printed."""
    from ftui.plain import follow as following
    from ftui.runs.store import find

    return following.print_log(find(run), follow=follow)


@cli.command()
@click.argument("run", default="latest")
def stop(run: str) -> None:
    """Stop a run cleanly: a checkpoint and its weights are saved. A second stop is immediate."""
    from ftui.plain import follow
    from ftui.runs.store import find

    follow.stop(find(run))


@cli.command()
@click.argument("run", default="latest")
@click.option("--fix", is_flag=True, help="Change what made it fail: show a diff, ask, write.")
@click.option("-y", "--yes", is_flag=True, help="With --fix: change it without asking.")
@click.pass_obj
def resume(flags: dict[str, Any], run: str, fix: bool, yes: bool) -> int:
    """Go on with a run from its last whole checkpoint, and watch it."""
    from ftui.plain import resume as going_on
    from ftui.runs.store import find

    found = find(run)
    if not going_on.resume(found, fix=fix, yes=yes):
        return ExitCode.OK
    return _watch(found, flags)


@cli.command()
@click.argument("run", default="latest")
@serve_on
@serve_hours
@click.pass_obj
def chat(flags: dict[str, Any], run: str, on: str, hours: float) -> int:
    """Talk with the base and the tuned model, side by side.

    Without a terminal: one question a line on stdin, both answers on stdout.
    """
    from ftui.runs.store import find
    from ftui.serve.place import Where

    found, where = find(run), Where(on, hours)
    if _has_screen() and not flags["plain"]:
        from ftui.tui.app import Chat, run_app

        return run_app(Chat(found, where.serve), glyphs=flags["glyphs"])
    from ftui.plain import talk

    return talk.chat(found, where)


@cli.command(name="eval")
@click.argument("run", default="latest")
@click.option("--limit", type=click.IntRange(min=1), help="Ask only the first N questions.")
@serve_on
@serve_hours
@as_json
def evaluate(run: str, limit: int | None, on: str, hours: float, as_json: bool) -> int:
    """Count the right answers of base and tuned model."""
    from ftui.plain import talk
    from ftui.runs.store import find
    from ftui.serve.place import Where

    return talk.evaluate(find(run), Where(on, hours), limit=limit, as_json=as_json)


@cli.command()
@click.argument("run", default="latest")
@click.option("--serve", "target", metavar="TARGET", help="Leave its endpoint there: modal.")
@click.option(
    "--hours",
    type=Hours(0, 8760, min_open=True),
    help="The endpoint ends by itself after that; unset: it stays, at no cost while nobody asks.",
)
@click.option(
    "--key-from-env",
    "key_from",
    metavar="NAME",
    default="FTUI_SERVE_KEY",
    show_default=True,
    help="The variable that holds the key which it asks for.",
)
@click.option("--end", "ends", is_flag=True, help="End the endpoint that was left in place.")
@as_json
def export(
    run: str, target: str | None, hours: float | None, key_from: str, ends: bool, as_json: bool
) -> int:
    """Leave an OpenAI-compatible endpoint of a run's models in place, and say how to call it."""
    from ftui.plain import export as exporting
    from ftui.runs.store import find

    if (target is None) != ends or (ends and hours is not None):
        raise click.UsageError("--serve TARGET [--hours H], or --end; see --help")
    if ends:
        return exporting.end(find(run))
    assert target is not None
    return exporting.export(find(run), target, hours, key_from, as_json=as_json)


@cli.command()
@click.argument("kind", required=False, type=click.Choice(["train", "serve"]))
@click.option("--python", type=click.Path(path_type=Path), help="Use this environment's Python.")
@click.option("--print-python", is_flag=True, help="Print the path of the runtime's Python.")
def setup(kind: str | None, python: Path | None, print_python: bool) -> None:
    """Make the environments for axolotl and vLLM."""
    from ftui.plain import environments

    if (python or print_python) and kind is None:
        raise click.UsageError("say which one: ftui setup train|serve")
    environments.setup(kind, python=python, print_python=print_python)


@cli.command()
@as_json
def doctor(as_json: bool) -> int:
    """Look at everything ftui stands on."""
    from ftui.plain import environments

    return environments.doctor(as_json=as_json)


def _watch(run: Run, flags: dict[str, Any]) -> int:
    """The run on a screen where there is one, else in plain lines until it ends."""
    _take_up(run)
    if _has_screen() and not flags["plain"]:
        from ftui.tui.app import Watch, run_app

        return run_app(Watch(run), glyphs=flags["glyphs"])
    from ftui.plain import follow

    return follow.until_ended(run)


def _take_up(run: Run) -> None:
    """Follow again what is at work elsewhere; where that cannot be, its history can be watched."""
    from ftui.targets.take_up import take_up

    try:
        take_up(run)
    except FtuiError as error:
        click.echo(f"▲ {printable(str(error))}", err=True)


def _has_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _has_screen() -> bool:
    import os

    return _has_terminal() and os.environ.get("TERM", "dumb") != "dumb"


def main() -> None:
    """Entry point: turns every ending into words on stderr and an exit code of the contract."""
    sys.exit(_guarded(lambda: cli.main(prog_name="ftui", standalone_mode=False)))


def _guarded(action: Callable[[], Any]) -> int:
    try:
        return int(action() or ExitCode.OK)
    except FtuiError as error:
        _explain(error)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return ExitCode.USAGE
    except (KeyboardInterrupt, EOFError, click.Abort):
        click.echo("\nInterrupted.", err=True)
        return ExitCode.INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the one at the top: no traceback reaches a person
        from ftui.crash import record

        _explain(record(error))
        return ExitCode.RUN_FAILED


def _explain(error: FtuiError) -> None:
    where = f"{error.where}: " if error.where else ""
    lines = [f"✗ {where}{error.what}", error.why, error.hint and f"→ {error.hint}"]
    click.echo(printable("\n  ".join(filter(None, lines))), err=True)
