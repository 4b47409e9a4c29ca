"""The wizard's steps as plain prompts, for terminals without a full-screen interface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from ftui.data.dataset import Undecided
from ftui.data.formats import Format
from ftui.errors import FtuiError
from ftui.plain import console
from ftui.plan.plan import Plan
from ftui.plan.rows_choice import Ask, following
from ftui.plan.step_data import to_ask
from ftui.plan.steps import STEPS, Field, Option, Step, World
from ftui.plan.steps import step as step_of
from ftui.targets import get
from ftui.targets.base import Offering

BACK = object()
OTHER = object()


def ask(plan: Plan) -> Plan:
    """Ask every step in turn, beginning with what `plan` says; `back` is always offered."""
    from ftui.targets.world import survey

    world = survey().with_preset(plan.preset)
    plan, path = to_ask(plan)
    plans = [_applied(step_of("data"), plan, path, world) if path else plan]
    while len(plans) <= len(STEPS):
        answered = _ask_step(STEPS[len(plans) - 1], plans[-1], world, first=len(plans) == 1)
        if answered is None:
            plans.pop()
        else:
            plans.append(answered)
    if not _confirm(plans[-1], world):
        raise click.Abort
    return plans[-1]


def _ask_step(step: Step, plan: Plan, world: World, *, first: bool) -> Plan | None:
    """The plan with this step answered, or None to go back."""
    import questionary

    console.say(f"\n{step.help}")
    options = step.options(plan, world)
    choices = [questionary.Choice(_label(option, options), option.value) for option in options]
    if step.accepts_text:
        choices.append(questionary.Choice("another one …", OTHER))
    if not first:
        choices.append(questionary.Choice("← back", BACK))
    current = step.current(plan)
    default = next((c for c in choices if c.value == current), choices[0])
    while True:
        value = _asked(questionary.select(step.question, choices=choices, default=default))
        if value is BACK:
            return None
        if value is OTHER:
            value = _asked(questionary.path(step.question))
        try:
            return _ask_fields(step, _applied(step, plan, str(value), world), world)
        except FtuiError as error:
            _tell(error)


def _applied(step: Step, plan: Plan, answer: str, world: World) -> Plan:
    """The plan with an answer; a person says what the rows of a dataset are where nothing does."""
    try:
        return step.apply(plan, answer, world)
    except Undecided as undecided:
        console.say(f"▲ {undecided}")
        return step.apply(plan, answer, world.reading_as(_ask_rows(undecided)))


def _ask_rows(undecided: Undecided) -> Format:
    import questionary

    answers: list[str] = []
    while isinstance(asked := following(undecided, answers), Ask):
        choices = [
            questionary.Choice(_label(option, asked.options), option.value)
            for option in asked.options
        ]
        likeliest = next(each for each in choices if each.value == asked.current)
        if answers:
            choices.append(questionary.Choice("← back", BACK))
        value = _asked(questionary.select(asked.question, choices=choices, default=likeliest))
        answers = answers[:-1] if value is BACK else [*answers, value]
    return asked


def _ask_fields(step: Step, plan: Plan, world: World) -> Plan:
    """The plan with the details, of those it has a place for, as a person would have them."""
    import questionary

    fields = [field for field in step.all_fields(world) if field.read(plan)]
    if any(field.read(plan) for field in step.more_fields(world)):
        _show_offers(plan)
    question = f"Change the details? ({_details(fields, plan)})"
    if not fields or not _asked(questionary.confirm(question, default=False)):
        return plan
    for field in fields:
        plan = _ask_field(field, plan, world)
    return plan


def _show_offers(plan: Plan) -> None:
    """What a rented machine would cost; where nobody tells it, why."""
    from ftui.plain.fit import tell_offers

    try:
        tell_offers(plan)
    except FtuiError as error:
        console.say(f"▲ {error}")


def _details(fields: Sequence[Field], plan: Plan) -> str:
    """`rank 16, alpha 32`: what a plan has beside the answer to a step."""
    named = ((field.label.lower(), field.read(plan)) for field in fields)
    return ", ".join(f"{name} {value}" for name, value in named if value)


def _ask_field(field: Field, plan: Plan, world: World) -> Plan:
    import questionary

    console.say(field.help)
    while True:
        text = _asked(questionary.text(f"{field.label}:", default=field.read(plan)))
        try:
            return field.taken(plan, text, world)
        except FtuiError as error:
            _tell(error)


def _tell(error: FtuiError) -> None:
    console.say(f"✗ {error}" + (f"\n  → {error.hint}" if error.hint else ""))


def _confirm(plan: Plan, world: World) -> bool:
    import questionary

    console.say("")
    for step in STEPS:
        console.say(f"  {step.title:<10} {step.summary(plan)}")
        if details := _details(step.all_fields(world), plan):
            console.say(f"  {'':<10} {details}")
    target = get(plan.target)
    if isinstance(target, Offering):
        console.say(f"  it ends at the latest after {target.limits(plan)}")
    return bool(_asked(questionary.confirm("Train now?", default=True)))


def _asked(question: Any) -> Any:
    """The answer; ctrl+c ends the whole dialogue, as everywhere."""
    return question.unsafe_ask()


def _label(option: Option, options: Any) -> str:
    width = max(len(other.label) for other in options)
    warning = f"  ▲ {option.warning}" if option.warning else ""
    return f"{option.label:<{width}}  {option.detail}{warning}"
