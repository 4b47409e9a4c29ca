"""What is odd about preferences and rated answers as a whole, and a key twice in an array."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ftui.cli import _guarded, cli
from ftui.data.tokens import Tokens
from ftui.errors import DatasetError
from ftui.plan.flags import plan_from_flags
from ftui.plan.plan import Plan
from ftui.targets.world import survey
from tests.fixtures.tokens import GOOD


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FTUI_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def rows(*values: dict[str, Any]) -> str:
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in values))
    return "rows.jsonl"


def found(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """The document of rows that axolotl reads to the end."""
    line = ["data", *arguments, "--json"]
    assert _guarded(lambda: cli.main(line, prog_name="ftui", standalone_mode=False)) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert document["ok"]
    return document


def pair(chosen: Any, rejected: Any, number: int = 0) -> dict[str, Any]:
    return {"prompt": f"q {number}", "chosen": chosen, "rejected": rejected}


def turn(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


@pytest.mark.parametrize("same", ["yes", [turn("yes")]])
@pytest.mark.parametrize("training", ["dpo", "orpo"])
def test_an_answer_that_is_chosen_and_rejected_is_told(
    capsys: pytest.CaptureFixture[str], training: str, same: Any
) -> None:
    other = [turn("no")] if isinstance(same, list) else "no"
    values = [pair(same, other, 1), pair(same, same, 2), pair(other, same, 3)]
    if training == "orpo":
        asked = {"role": "user", "content": "q"}
        yes, no = [asked, turn("yes")], [asked, turn("no")]
        values = [pair(yes, no, 1), pair(yes, yes, 2), pair(no, yes, 3)]
    document = found(capsys, rows(*values), "--rl", training)
    assert document["reasons"] == {"chosen and rejected are the same": 1}
    [issue] = document["issues"]
    assert (issue["line"], issue["field"]) == (2, "rejected")
    assert "mend it, or remove it" in issue["hint"]
    assert document["kept"] == 3, "a note: axolotl trains on it"


@pytest.mark.parametrize("label", [True, False])
def test_labels_that_are_all_alike_are_told(
    capsys: pytest.CaptureFixture[str], label: bool
) -> None:
    rated = [{"prompt": f"q {n}", "completion": f"a {n}", "label": label} for n in range(300)]
    document = found(capsys, rows(*rated), "--rl", "kto")
    assert document["reasons"] == {"labelled alike": 300}
    [issue] = document["issues"]
    assert issue["message"] == f"label is {str(label).lower()} in each of the 300 rows"
    assert issue["line"] == 1
    rated[250]["label"] = not label
    assert found(capsys, rows(*rated), "--rl", "kto")["reasons"] == {}


@pytest.mark.parametrize(
    ("item", "key"),
    [
        ('{"instruction": "a", "output": "b", "output": "c"}', "output"),
        ('{"instruction": "a", "output": "b", "more": {"x": 1, "x": 2}}', "x"),
    ],
)
def test_a_key_twice_in_an_array_is_told_with_its_line(
    capsys: pytest.CaptureFixture[str], item: str, key: str
) -> None:
    """axolotl's reader takes the last value of an array's item, and stops at such a line of JSONL
    (measured with axolotl 0.19 and datasets 4.8)."""
    good = '{"instruction": "d", "output": "e \\": \\": f"}'
    Path("rows.json").write_text(f"[{good},\n{item},\n{good.replace('d', 'x', 1)}]")
    document = found(capsys, "rows.json")
    assert document["reasons"] == {"a key twice": 1}
    [issue] = document["issues"]
    assert (issue["line"], issue["field"]) == (2, key)
    assert "the last value is read" in issue["message"]
    assert (document["rows"], document["kept"]) == (3, 3)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    """The trainings that axolotl is asked about."""
    asked: list[Plan] = []

    def look(plan: Plan, show: int) -> Tokens:
        asked.append(plan)
        return GOOD

    monkeypatch.setattr("ftui.plain.tokens.look", look)
    return asked


@pytest.mark.parametrize(
    ("arguments", "rl", "told"),
    [
        (("--preset", "nano-sql-lora", "--rl", "dpo"), "dpo", "counted with rl: dpo; nano-sql"),
        (("--preset", "nano-sql-lora", "--rl", "ipo"), "ipo", "nano-sql-lora has none"),
        (("--preset", "smollm2-1.7b-dpo"), "dpo", ""),
        (("--preset", "smollm2-1.7b-dpo", "--rl", "simpo"), "simpo", "has rl: dpo"),
        (("--preset", "nano-sql-lora", "--type", "chatml.intel"), "dpo", "counted with rl: dpo"),
    ],
)
def test_preferences_are_counted_with_the_rl_that_they_need(
    capsys: pytest.CaptureFixture[str],
    counted: list[Plan],
    arguments: tuple[str, ...],
    rl: str,
    told: str,
) -> None:
    values = ({"question": f"q {n}", "system": "s", **pair("yes", "no")} for n in range(3))
    line = ["data", rows(*values), *arguments, "--show", "0"]
    assert _guarded(lambda: cli.main(line, prog_name="ftui", standalone_mode=False)) == 0
    assert [plan.get("rl") for plan in counted] == [rl]
    said = capsys.readouterr().err
    assert told in said
    assert ("counted with" in said) == bool(told)


def test_examples_of_a_named_type_are_counted_without_rl(
    capsys: pytest.CaptureFixture[str], counted: list[Plan]
) -> None:
    source = rows({"instruction": "a", "output": "b"})
    line = ["data", source, "--preset", "smollm2-1.7b-dpo", "--type", "alpaca", "--show", "0"]
    assert _guarded(lambda: cli.main(line, prog_name="ftui", standalone_mode=False)) == 0
    assert counted[0].get("rl") is None
    assert counted[0].get("datasets.0.type") == "alpaca"
    assert "counted without rl; smollm2-1.7b-dpo has rl: dpo" in capsys.readouterr().err


def test_a_launch_reads_the_rows_for_the_rl_that_is_set() -> None:
    source = rows(*(pair("yes", "no", n) for n in range(3)))
    with pytest.raises(DatasetError, match="preferences"):
        plan_from_flags(survey(), preset="nano-sql-lora", config=None, data=source)
    plan = plan_from_flags(
        survey(), preset="nano-sql-lora", config=None, data=source, overrides=["rl=dpo"]
    )
    assert (plan.get("rl"), plan.get("datasets.0.type")) == ("dpo", "chat_template.default")
