"""What is held out of the training for the eval loss: a share, so many rows, a file, or nothing.

A share or a number of rows is axolotl's `val_set_size`, a file is its `test_datasets`; whatever
says when to evaluate comes and goes with them.
"""

from __future__ import annotations

import copy
import math
import re
from decimal import Decimal
from typing import Any

from ftui.errors import UsageError
from ftui.plan.held_out_file import entry_of, listed_in, looked_at
from ftui.plan.plan import Plan
from ftui.plan.step import Field, World

_NONE = "none"
_LABEL = "Held out"
_ANSWERS = "A share (5 %), a number of rows (200), none, or the path of a file."
_NUMBER = re.compile(r"([+-]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d*)?)\s*(%|rows?)?", re.ASCII)
_LONGEST = 20
"""Characters of a number that anybody would type."""

_WHEN = ("evals_per_epoch", "eval_steps", "eval_strategy", "evaluation_strategy")
"""Settings that say when it is evaluated."""
EVALUATION = (
    *_WHEN,
    "eval_on_start",
    "eval_table_size",
    "eval_causal_lm_metrics",
    "do_causal_lm_eval",
    "early_stopping_patience",
    "metric_for_best_model",
    "load_best_model_at_end",
)
"""Settings that do nothing, or that axolotl refuses, where there is nothing to evaluate on."""
_USUAL = {"evals_per_epoch": 4}
BY_EVALUATION = ("reduce_lr_on_plateau", "greedy")
"""Schedulers that go by the eval loss."""


def held_out(plan: Plan) -> str:
    """`5 %`, `200 rows`, `none`, the path of a file; nothing where rows are read as they come."""
    if _streams(plan):
        return ""
    tests = _tests(plan)
    if tests:
        more = f" and {len(tests) - 1} more" if len(tests) > 1 else ""
        return f"{tests[0].get('path', '?')}{more}"
    size = plan.get("val_set_size")
    if isinstance(size, bool) or not isinstance(size, (int, float)):
        return _NONE if size is None else str(size)
    if 0 < size < 1:
        return f"{(Decimal(str(size)) * 100).normalize():f} %"
    return f"{size:g} rows" if size else _NONE


def is_left_out(plan: Plan) -> bool:
    """Whether the run holds nothing out all the same: see `for_cpu` in ftui/config/build.py."""
    return not plan.gpus and bool(plan.get("load_in_4bit")) and held_out(plan) not in ("", _NONE)


def without_tests(plan: Plan) -> Plan:
    """The plan for other rows: a file that is held out belongs to those that were trained on."""
    return _as_in_the_preset(plan, tests=None) if _tests(plan) else plan


def of_the_preset(plan: Plan) -> Plan:
    """The plan with what its preset holds out of its own dataset."""
    return _as_in_the_preset(plan, tests=plan.preset.settings.get("test_datasets"))


def _write(plan: Plan, text: str) -> Plan:
    """The plan with that held out. Raises UsageError, DatasetError.

    Of a file it is only seen whether it is there; `_looked_at` reads it.
    """
    text = text.strip()
    if text == held_out(plan):
        return plan
    if _streams(plan):
        raise UsageError(
            "nothing can be held out of rows that are read as they come",
            hint="List test_datasets in the config to evaluate on a file.",
        )
    changed = _written(plan, text)
    same = all(changed.get(key) == plan.get(key) for key in ("val_set_size", "test_datasets"))
    return plan if same else changed


def _written(plan: Plan, text: str) -> Plan:
    if not text:
        own = plan.get("datasets") == plan.preset.settings.get("datasets")
        return of_the_preset(plan) if own else _as_in_the_preset(plan, tests=None)
    size = _size(plan, text)
    if size is None:
        tests = [entry_of(plan, text, hint=_ANSWERS)]
        return plan.with_settings(val_set_size=0, test_datasets=tests, **_evaluating(plan))
    if not size:
        return _with_nothing(plan)
    return plan.with_settings(val_set_size=size, test_datasets=None, **_evaluating(plan))


def _size(plan: Plan, text: str) -> float | None:
    """A share below 1, or a number of rows; None for a text that is no number.

    Raises UsageError.
    """
    if text.lower() in (_NONE, "nothing", "no"):
        return 0
    match = _NUMBER.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None or not any(sign.isdigit() for sign in match[1]):
        return None
    number, unit = Decimal(match[1].replace(",", "")), match[2] or ""
    size = number / 100 if unit == "%" else number
    wrong = _wrong(plan, size, unit)
    if wrong:
        raise UsageError(f"{_LABEL}: {wrong}", why=f"not {text!r}", hint=_ANSWERS)
    return int(size) if size == int(size) else float(size)


def _wrong(plan: Plan, size: Decimal, unit: str) -> str:
    """What is wrong with a share, or with a number of rows; nothing if it can be taken."""
    if size < 0:
        return "a share or a number of rows is 0 or more"
    if size == 1:
        return "axolotl takes 1 for all of the rows, and none would be left to train on"
    if unit == "%" and size > 1:
        return "a share is below 100 %"
    if size != int(size) and (size > 1 or unit.startswith("row")):
        return "a share is below 1, and rows are counted in whole numbers"
    if size > 1 and plan.get("rl"):
        return f"with rl: {plan.get('rl')} axolotl takes a share alone"
    return ""


def _with_nothing(plan: Plan) -> Plan:
    """Without anything that evaluates, or waits for an evaluation. Raises UsageError."""
    scheduler = plan.get("lr_scheduler")
    if scheduler in BY_EVALUATION:
        raise UsageError(
            f"{_LABEL}: the scheduler {scheduler} goes by the eval loss",
            hint="Hold something out, or set another lr_scheduler.",
        )
    return plan.with_settings(val_set_size=0, test_datasets=None, **_not_evaluating(plan))


def _not_evaluating(plan: Plan) -> dict[str, Any]:
    best = {"save_strategy": None} if plan.get("save_strategy") == "best" else {}
    return {**dict.fromkeys(EVALUATION), **best}


def _evaluating(plan: Plan) -> dict[str, Any]:
    """What says when to evaluate, as the preset does, where the plan does not."""
    if any(plan.get(key) not in (None, "no", 0) for key in _WHEN):
        return {}
    preset = plan.preset.settings
    kept = {key: copy.deepcopy(preset[key]) for key in EVALUATION if preset.get(key) is not None}
    said = any(kept.get(key, "no") not in ("no", 0) for key in _WHEN)
    return {**dict.fromkeys(_WHEN), **(kept if said else _USUAL)}


def _as_in_the_preset(plan: Plan, *, tests: Any) -> Plan:
    size = plan.preset.settings.get("val_set_size")
    changes = _evaluating(plan) if tests or size else _not_evaluating(plan)
    return plan.with_settings(val_set_size=size, test_datasets=copy.deepcopy(tests), **changes)


def _looked_at(plan: Plan, world: World) -> Plan:
    """The same, once a file was read. Raises FtuiError: UsageError where no row would be left."""
    tests, datasets = _tests(plan), listed_in(plan, "datasets")
    if tests:
        return (
            plan if tests == plan.preset.settings.get("test_datasets") else looked_at(plan, world)
        )
    size, known = plan.get("val_set_size"), world.counted.get(str(plan.get("datasets.0.path")))
    if known is not None and len(datasets) == 1 and _takes_all(size, known.rows):
        why = f"the dataset has {known.rows:,} rows"
        raise UsageError(f"{_LABEL}: no row would be left to train on", why=why, hint=_ANSWERS)
    return plan


def _takes_all(size: Any, rows: int) -> bool:
    """Whether so many rows, or such a share of them, rounded up, leaves nothing to train on."""
    if isinstance(size, float) and 0 < size < 1:
        return math.ceil(size * rows) >= rows
    return isinstance(size, int) and size >= rows


def _tests(plan: Plan) -> list[dict[str, Any]]:
    return listed_in(plan, "test_datasets")


def _streams(plan: Plan) -> bool:
    return bool(plan.get("pretraining_dataset") or plan.get("streaming"))


HELD_OUT = Field(
    "held_out",
    _LABEL,
    f"Rows for the eval loss, not to be trained on. {_ANSWERS}",
    held_out,
    _write,
    _looked_at,
    is_path=True,
)
