"""What a wizard step is, and what the steps may know about the world around them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ftui.data.dataset import Reader, read_files
from ftui.data.formats import Format
from ftui.plan.hardware import Hardware
from ftui.plan.models import BaseModel
from ftui.plan.plan import Plan, Preset


@dataclass(frozen=True)
class TargetChoice:
    """A place that can train. `words` says what it has: `2 cores · 24 GiB · no GPU`."""

    name: str
    title: str
    words: str
    fields: tuple[Field, ...] = ()
    """What can be asked of its machines, where it rents them."""
    hired: Callable[[Plan], Hardware] | None = None
    """The machine that it would rent for a plan, quickly; None = it is the machine at hand."""


class RowCount(NamedTuple):
    """The rows of a dataset, and those of them that teach anything."""

    rows: int
    kept: int


@dataclass(frozen=True)
class World:
    """What there is to choose from: this machine, the presets, the base models, the targets."""

    hardware: Hardware
    presets: tuple[Preset, ...]
    models: tuple[BaseModel, ...]
    targets: tuple[TargetChoice, ...]
    read: Reader = read_files
    """Reads the rows of a dataset."""
    format: Format | None = None
    """What a person says that the rows of the dataset are; None = it is found out."""
    wished: dict[str, Mapping[str, str]] = field(default_factory=dict, compare=False)
    """What was asked of the machines of a target, while another one is looked at."""
    counted: dict[str, RowCount] = field(default_factory=dict, compare=False)
    """The datasets that were read, by path: a step remembers here what took a while to find out."""

    def hardware_for(self, plan: Plan) -> Hardware:
        """The machine that a plan is to run on."""
        hired = next((one.hired for one in self.targets if one.name == plan.target), None)
        return self.hardware if hired is None else hired(plan)

    def reading_as(self, format: Format) -> World:
        """The same, where a person has said what the rows are."""
        return dataclasses.replace(self, format=format)

    def with_preset(self, preset: Preset) -> World:
        """With a person's own config, where the plan starts from one, before the presets."""
        others = tuple(each for each in self.presets if each.name != preset.name)
        return dataclasses.replace(self, presets=(preset, *others)) if preset.text else self


@dataclass(frozen=True)
class Option:
    """One answer. `value` is what `Step.apply` takes; `warning` is what speaks against it here.

    `also` is not shown: words by which a filter finds it too.
    """

    value: str
    label: str
    detail: str = ""
    warning: str = ""
    also: str = ""


@dataclass(frozen=True)
class Field:
    """An answer beside the main one of a step that most people leave alone.

    `write` is quick, and raises FtuiError: UsageError for a text that no more letters would mend.
    """

    id: str
    label: str
    help: str
    read: Callable[[Plan], str]
    """The answer as it stands; nothing where a plan has no place for it."""
    write: Callable[[Plan, str], Plan]
    look: Callable[[Plan, World], Plan] | None = None
    """What has to be read before a new answer counts, such as a file. Raises FtuiError."""
    is_path: bool = False
    """Whether the answer may be the path of a file."""

    def taken(self, plan: Plan, text: str, world: World) -> Plan:
        """The plan with a new answer, and all of it looked at. Raises FtuiError."""
        changed = self.write(plan, text)
        return changed if self.look is None or changed == plan else self.look(changed, world)


@dataclass(frozen=True)
class Step:
    """One question. `apply(plan, current(plan), world)` is always the plan itself.

    `apply` takes the value of an option, or any text where `accepts_text`; it raises FtuiError
    with what is wrong about the text. `explain` says in a sentence or two what an answer means,
    `about` in a few words what is known of the answer that the plan has.
    """

    id: str
    title: str
    question: str
    help: str
    options: Callable[[Plan, World], Sequence[Option]]
    current: Callable[[Plan], str]
    apply: Callable[[Plan, str, World], Plan]
    summary: Callable[[Plan], str]
    explain: Callable[[Plan, str, World], str]
    about: Callable[[Plan, World], str] = lambda plan, world: ""
    typing: Callable[[Plan, str], Plan] = lambda plan, text: plan
    """What a text that is being typed would make of the fields, as far as no look tells more."""
    fields: tuple[Field, ...] = ()
    more_fields: Callable[[World], Sequence[Field]] = lambda world: ()
    """Fields that depend on what there is."""
    accepts_text: bool = False
    has_rows: bool = False
    """Whether an answer is rows, which can be looked at as the model will see them."""

    def all_fields(self, world: World) -> tuple[Field, ...]:
        """The answers beside the main one."""
        return (*self.fields, *self.more_fields(world))
