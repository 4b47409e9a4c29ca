"""The plain prompts: the same questions as the wizard's, details and rows included."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import questionary

from ftui.config.text import config_text
from ftui.plain import prompts
from ftui.plan.flags import plan_from_flags
from ftui.plan.plan import Plan, start
from ftui.plan.presets import find
from ftui.targets.world import survey


@dataclass
class Person:
    """Answers a question by the first words of it; anything else with what is proposed."""

    answers: dict[str, list[str]]
    asked: list[tuple[str, Any]] = field(default_factory=list)
    """Each question with what it proposed."""

    def reply(self, question: str, proposed: Any) -> Any:
        self.asked.append((question, proposed))
        for beginning, left in self.answers.items():
            if question.startswith(beginning) and left:
                return left.pop(0)
        return proposed


class Asked:
    """A question of questionary's, answered at once."""

    def __init__(self, answer: Callable[[], Any]) -> None:
        self._answer = answer

    def unsafe_ask(self) -> Any:
        return self._answer()


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Person:
    monkeypatch.setenv("FTUI_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    here = Person({})

    def select(question: str, *, choices: list[Any], default: Any) -> Asked:
        def answer() -> Any:
            reply = here.reply(question, default.value)
            return prompts.OTHER if reply == "another one" else reply

        return Asked(answer)

    def text(question: str, *, default: str = "") -> Asked:
        return Asked(lambda: here.reply(question, default))

    def confirm(question: str, *, default: bool) -> Asked:
        yes = default or any(map(question.startswith, here.answers))
        return Asked(lambda: bool(here.reply(question, yes)))

    monkeypatch.setattr(questionary, "select", select)
    monkeypatch.setattr(questionary, "text", text)
    monkeypatch.setattr(questionary, "path", text)
    monkeypatch.setattr(questionary, "confirm", confirm)
    return here


def plan() -> Plan:
    return start(find("nano-sql-lora"))


def alpaca(file: str, count: int = 30) -> str:
    rows = (json.dumps({"instruction": f"{file} {n}", "output": "b"}) for n in range(count))
    Path(file).write_text("\n".join(rows))
    return file


def test_enter_alone_gives_the_preset_itself(person: Person) -> None:
    assert prompts.ask(plan()) == plan()
    proposed = [question for question, _ in person.asked if question.startswith("Change")]
    assert "Change the details? (held out 2 %)" in proposed


def test_what_is_held_out_is_asked_with_what_the_preset_says(
    person: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    alpaca("held.jsonl", 3)
    person.answers = {
        "What should it learn from?": ["another one", alpaca("rows.jsonl")],
        "Change the details? (held out": ["yes"],
        "Held out:": ["120 %", "rows.jsonl", "held.jsonl"],
    }
    answered = prompts.ask(plan())
    assert [proposed for question, proposed in person.asked if question == "Held out:"] == [
        "2 %"
    ] * 3
    told = capsys.readouterr().err
    assert "✗ Held out: a share is below 100 %" in told
    assert "this is what is trained on" in told
    assert "→ Name another file, or a share" in told
    assert f"held out {Path('held.jsonl').absolute()}" in told, "and what comes of it is shown"
    flags = plan_from_flags(
        survey(), preset="nano-sql-lora", config=None, data="rows.jsonl", held_out="held.jsonl"
    )
    assert config_text(answered) == config_text(flags), "the same answers, the same YAML"


def test_a_detail_that_a_plan_has_no_place_for_is_not_asked(person: Person) -> None:
    person.answers = {"How should it be trained?": ["full"], "Change the details? (": ["yes"] * 9}
    prompts.ask(plan())
    asked = [question for question, _ in person.asked]
    assert "Learning rate:" in asked
    assert "Rank:" not in asked


def test_rows_named_on_the_command_line_are_asked_about_first(person: Person) -> None:
    row = {"subject": "No sound", "reply_text": "Turn it on."}
    Path("odd.jsonl").write_text(json.dumps(row) + "\n")
    begun = plan_from_flags(
        survey(), preset="nano-sql-lora", config=None, data="odd.jsonl", ask=True
    )
    answered = prompts.ask(begun)
    assert person.asked[0][0] == "Which column is the question?"
    assert answered.get("datasets.0.path") == str(Path("odd.jsonl").absolute())
    assert answered.get("datasets.0.type.field_output") == "reply_text"


def test_a_rented_machine_is_asked_for_beside_what_is_on_offer(
    person: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    person.answers = {
        "Where should it run?": ["modal"],
        "Change the details? (gpus": ["yes"],
        "GPUs:": ["2"],
        "GPU type:": ["FOO", "H100"],
        "Dollars at most:": ["20"],
    }
    answered = prompts.ask(start(find("llama3-8b-qlora")))
    assert answered.machine == {"gpu": "H100", "max_dollars": "20"}
    told = capsys.readouterr()
    assert "Modal's list of" in told.err
    assert "lowest price" in told.out
    assert "✗ Modal has no GPU 'FOO'" in told.err
    flags = plan_from_flags(
        survey(),
        preset="llama3-8b-qlora",
        config=None,
        target="modal",
        gpus="2",
        machine=("gpu=H100", "max_dollars=20"),
    )
    assert answered == flags
