"""When things happen: warm-up, logs, evaluations and checkpoints against the length of the run."""

from __future__ import annotations

from collections.abc import Iterator

from ftui.config.edit import Put, Rename
from ftui.config.rules.rule import Finding, Rule, Subject, error, warning
from ftui.plan.held_out import BY_EVALUATION

_DEFAULT_EPOCHS = 1.0


def evaluates_on(subject: Subject) -> str:
    """The key that gives rows to evaluate on; nothing when there are none."""
    if subject.get("test_datasets"):
        return "test_datasets"
    if subject.number("val_set_size"):
        return "val_set_size"
    return "do_bench_eval" if subject.on("do_bench_eval") else ""


def steps(subject: Subject, kind: str) -> float | None:
    """`eval_steps` or `save_steps` as axolotl sets them: a number of steps or a share of the run.

    `evals_per_epoch` and `saves_per_epoch` become shares, where those are below 1.
    """
    plain = subject.number(f"{kind}_steps")
    often = subject.number(f"{kind}s_per_epoch")
    epochs = _epochs(subject)
    if not often or often < 0 or epochs <= 0 or (kind == "eval" and not evaluates_on(subject)):
        return plain or None
    share = 1 / (often * epochs)
    return share if share < 1 else plain or None


def _epochs(subject: Subject) -> float:
    epochs = subject.number("num_epochs")
    return _DEFAULT_EPOCHS if epochs is None else epochs


def _warm_up(subject: Subject) -> Iterator[Finding]:
    run, warm_up = subject.number("max_steps"), subject.number("warmup_steps")
    if run and warm_up and warm_up >= run > 0:
        message = (
            f"the warm-up of {warm_up:g} steps is not shorter than the run of {run:g}: "
            "the learning rate never reaches what it should"
        )
        yield error("warmup_steps", message, "3 to 10 in a hundred steps are usual")


def _constant_without_warm_up(subject: Subject) -> Iterator[Finding]:
    if subject.text("lr_scheduler") != "constant":
        return
    for key in ("warmup_steps", "warmup_ratio"):
        if subject.on(key):
            message = "the scheduler `constant` has no warm-up: this is ignored"
            yield warning(key, message, "lr_scheduler: constant_with_warmup has one")


_LONGER_THAN_THE_RUN = {
    "eval_steps": "it is evaluated only before the first and after the last step",
    "save_steps": "the only checkpoint is the one at the end",
    "logging_steps": "no loss is shown on the way",
}


def _longer_than_the_run(subject: Subject) -> Iterator[Finding]:
    run = subject.number("max_steps")
    for key, consequence in _LONGER_THAN_THE_RUN.items():
        every = subject.number(key)
        if run and every and every > run > 0:
            yield warning(key, f"{every:g} is more than max_steps, {run:g}: {consequence}")


def _broken_steps(subject: Subject) -> Iterator[Finding]:
    for key in ("eval_steps", "save_steps"):
        every = subject.number(key)
        if every is None or every < 1:
            continue
        if not every.is_integer():
            message = f"{every:g} is neither a share of the run below 1 nor a number of steps"
            yield error(key, message, "0.25 is four times in the run, 100 every 100 steps")
        elif every == 1 and isinstance(subject.get(key), float):
            message = "1.0 is read as every single step, not as the whole run"
            yield warning(key, message, "0.5 is twice in the run; 1 says every step plainly")


def _evaluation_left_out(subject: Subject) -> Iterator[Finding]:
    """axolotl makes 1 ÷ (evals × epochs) of it and takes only what is below 1.

    At exactly 1 it says nothing at all (seen with 0.19: not one evaluation in the run).
    """
    key = "evals_per_epoch"
    often, epochs = subject.number(key), _epochs(subject)
    if not often or often < 0 or epochs <= 0 or not evaluates_on(subject):
        return
    if often * epochs > 1 or subject.on("eval_strategy") or subject.on("eval_steps"):
        return
    message = (
        f"with num_epochs {epochs:g} axolotl leaves this out and evaluates not once: "
        "evaluations × epochs must be more than 1"
    )
    hint = "use `eval_strategy: epoch` in its place"
    once = often == epochs == 1  # then the two mean the same
    edits = (Rename((key,), "eval_strategy"), Put(("eval_strategy",), "epoch")) if once else ()
    yield error(key, message, hint, *edits)


def _rows_but_no_evaluation(subject: Subject) -> Iterator[Finding]:
    key = evaluates_on(subject)
    asked = any(subject.on(each) for each in ("eval_steps", "evals_per_epoch", "eval_strategy"))
    never = subject.text("eval_strategy") == "no" and not subject.on("eval_steps")
    if key in ("val_set_size", "test_datasets") and (never or not asked):
        message = "sets rows aside to evaluate on, but nothing says when: it is never evaluated"
        yield warning(key, message, "such as `evals_per_epoch: 4`")


def _strategy_overruled(subject: Subject) -> Iterator[Finding]:
    strategy = subject.get("save_strategy")
    if not subject.number("saves_per_epoch") or strategy in (None, "steps"):
        return
    share = steps(subject, "save")
    if share is not None and share < 1:
        message = "saves_per_epoch overrules this"
        yield warning("save_strategy", message, "take one of the two out")


def _steps_of_the_log(subject: Subject) -> Iterator[Finding]:
    by_steps = subject.text("eval_strategy") == "steps" and evaluates_on(subject)
    if by_steps and steps(subject, "eval") is None:
        message = "without eval_steps it evaluates as often as it logs"
        yield warning("eval_strategy", message, "add eval_steps")


def _best_model(subject: Subject) -> Iterator[Finding]:
    """axolotl turns `load_best_model_at_end` off in silence unless all of this is so."""
    if not subject.on("load_best_model_at_end") or subject.has("rl"):
        return
    if evaluates_on(subject) not in ("val_set_size", "test_datasets"):
        why = "there is nothing to evaluate on"
    elif (every := steps(subject, "eval")) is None or (save := steps(subject, "save")) is None:
        why = "it needs both eval_steps and save_steps"
    elif _remainder(save, every):
        why = f"save_steps is no multiple of eval_steps ({save:g} and {every:g})"
    else:
        return
    message = f"is left out in silence: {why}; the last weights stay, not the best"
    yield error("load_best_model_at_end", message)


def _remainder(save: float, every: float) -> bool:
    return save % every != 0


def _never_stops_early(subject: Subject) -> Iterator[Finding]:
    patience, every = subject.number("early_stopping_patience"), subject.number("eval_steps")
    run = subject.number("max_steps")
    if patience and every and run and every >= 1 and patience * every >= run:
        message = (
            f"{patience:g} evaluations, one every {every:g} steps, take the whole run of {run:g} "
            "steps: it never stops early"
        )
        yield warning("early_stopping_patience", message)


def _scheduler_needs_evaluation(subject: Subject) -> Iterator[Finding]:
    scheduler = subject.text("lr_scheduler")
    if scheduler not in BY_EVALUATION:
        return
    strategy = subject.text("eval_strategy")
    if steps(subject, "eval") is None and strategy not in ("steps", "epoch"):
        message = f"{scheduler} lowers the rate by what an evaluation says, and there is none"
        yield error("lr_scheduler", message, "add val_set_size and eval_steps")


RULES: tuple[Rule, ...] = (
    _warm_up,
    _constant_without_warm_up,
    _longer_than_the_run,
    _broken_steps,
    _evaluation_left_out,
    _rows_but_no_evaluation,
    _strategy_overruled,
    _steps_of_the_log,
    _best_model,
    _never_stops_early,
    _scheduler_needs_evaluation,
)
"""What this module has to say."""
