"""What the real axolotl makes of values that are no text, as ftui's doctor tells it."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from ftui.data.cells import NO_VALUE
from ftui.data.dataset import open_dataset, read_files
from ftui.data.doctor import examine
from ftui.data.formats import Format, Lacking, Part
from ftui.data.guess import guess
from ftui.data.judge import Reason
from ftui.data.tokens import Tokens
from ftui.demo import resolve
from ftui.errors import DatasetError
from ftui.runtimes.dataset_worker import DatasetWorker
from tests.fixtures.datasets import EVERY, Sample, name
from tests.tools.tiny_model import write_model

BASE: dict[str, Any] = {
    "base_model": "tiny",
    "sequence_len": 1024,
    "micro_batch_size": 2,
    "gradient_accumulation_steps": 1,
    "num_epochs": 1,
    "optimizer": "adamw_torch",
    "learning_rate": 0.001,
    "bf16": False,
    "output_dir": "out",
}
DATES = ("2024-05-01", "2024-05-02 10:00", "2024-05-03T10:00:00Z")


@dataclass(frozen=True)
class Case:
    """A dataset as text, and the config's words about it."""

    title: str
    content: str
    entry: Mapping[str, Any]
    settings: Mapping[str, Any]
    lacking: Lacking | None = None
    """What is to become of the second row; None = what the doctor says of all."""


def lines(rows: Any) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def format_of(sample: Sample) -> Format:
    found = guess(sample.rows, training=sample.rl or "sft")
    assert found is not None
    return found.format


def settings_of(sample: Sample) -> dict[str, Any]:
    template = "chatml" if sample.rl else "tokenizer_default"
    rl = {"rl": sample.rl} if sample.rl else {}
    return {"chat_template": template, **rl, **sample.settings}


def without(sample: Sample, part: Part) -> Case:
    """The rows of a type, the second without a value in one column."""
    rows = copy.deepcopy(list(sample.rows))
    rows[1][part.column] = None
    title = f"{name(sample)}-without-{part.column}"
    return Case(title, lines(rows), sample.keys, settings_of(sample), part.lacking)


def alpaca(title: str, column: str, values: tuple[str, ...], *, csv: bool) -> Case:
    """Rows of alpaca with these values in one column."""
    rows = [
        {"instruction": f"ask {n}", "input": f"of {n}", "output": f"say {n}", column: value}
        for n, value in enumerate(values)
    ]
    table = ["instruction,input,output", *(",".join(row.values()) for row in rows)]
    content = "\n".join(table) + "\n" if csv else lines(rows)
    entry = {"type": "alpaca", "ds_type": "csv" if csv else "json"}
    return Case(f"{title} in {column}", content, entry, {})


UNTOLD = ("attention_mask", "label", "labels", "segments")
"""Columns of numbers and flags: a row without them may train or not, and is refused either way."""
LACKING = [
    without(sample, part)
    for sample in EVERY
    for part in format_of(sample).parts
    if part.column in sample.rows[0] and part.column not in UNTOLD
]
COLUMNS = ("instruction", "input", "output")
VALUES = [
    *(alpaca("dates", column, DATES, csv=False) for column in COLUMNS),
    *(alpaca("numbers", column, ("007", "1.50", "3"), csv=True) for column in COLUMNS),
    *(alpaca("flags", column, ("true", "False", "True"), csv=True) for column in COLUMNS),
    *(alpaca("words", column, ("a", "007", "True"), csv=True) for column in COLUMNS),
    *(alpaca(f"{word!r}", "output", ("a", word, "b"), csv=True) for word in sorted(NO_VALUE)),
    *(alpaca(f"{word!r}", "instruction", ("a", word, "b"), csv=True) for word in ("NA", "")),
    alpaca("2024/05/01", "output", (*DATES[:2], "2024/05/01"), csv=False),
    Case(
        "a key twice",
        '{"text": "a", "text": "b"}\n{"text": "c"}\n',
        {"type": "completion", "ds_type": "json"},
        {},
    ),
]
Outcome = Tokens | DatasetError


async def _ask(cases: list[Case], folder: Path) -> list[Outcome]:
    found: list[Outcome] = []
    async with DatasetWorker() as worker:
        for number, case in enumerate(cases):
            path = folder / f"{number}.{case.entry.get('ds_type', 'json')}"
            path.write_text(case.content, encoding="utf-8")
            entry = {"ds_type": "json", **case.entry, "path": str(path)}
            own = {"tokenizer_config": str(resolve("builtin:nano")), "datasets": [entry]}
            try:
                text = yaml.safe_dump({**BASE, **own, **case.settings})
                found.append(await worker.look(text, folder, (), show=3))
            except DatasetError as error:
                found.append(error)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("values")
    write_model(made / "tiny", vocabulary=1_152)
    return made


@pytest.fixture(scope="module")
def outcomes(folder: Path) -> dict[str, Outcome]:
    """What axolotl made of every case, by title; asked once."""
    cases = [*LACKING, *VALUES]
    return dict(zip((case.title for case in cases), asyncio.run(_ask(cases, folder)), strict=True))


@pytest.mark.parametrize("case", LACKING, ids=lambda case: case.title)
def test_a_row_without_a_value_comes_to_what_the_catalogue_says(
    case: Case, outcomes: dict[str, Outcome]
) -> None:
    seen = outcomes[case.title]
    if case.lacking is Lacking.STOPS:
        assert isinstance(seen, DatasetError) or seen.rows.fates.get("failed") == 1
        return
    assert isinstance(seen, Tokens)
    assert "failed" not in seen.rows.fates
    row = next((row for row in seen.shown if row.row == 1), None)
    texts = "".join(text for part in row.parts for text in part.texts) if row else ""
    assert ("None" in texts) is (case.lacking is Lacking.SAID)
    if case.lacking is Lacking.NOT_LEARNT and row is not None and "explain" not in case.title:
        assert sum(part.learnt for part in row.parts) <= 1  # the end, at most


@pytest.mark.parametrize("case", VALUES, ids=lambda case: case.title)
def test_the_doctor_is_right_about_whether_axolotl_stops(
    case: Case, outcomes: dict[str, Outcome], folder: Path
) -> None:
    seen = outcomes[case.title]
    number = len(LACKING) + VALUES.index(case)
    path = str(folder / f"{number}.{case.entry['ds_type']}")
    dataset = open_dataset(path, type_name=case.entry["type"])
    report = examine(read_files(path), dataset.format)
    stops = isinstance(seen, DatasetError) or "failed" in seen.rows.fates
    assert report.ok is not stops, report.complaints
    if Reason.NO_VALUE in report.found and isinstance(seen, Tokens):
        texts = ("".join(part.texts) for row in seen.shown for part in row.parts)
        assert any("None" in text for text in texts)
