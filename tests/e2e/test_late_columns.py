"""`datasets`, with which axolotl reads, stops at what comes too late, as ftui says."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ftui.runtimes.process import quiet_environment
from tests.unit.test_data_values import LATE, STILL_FITS, rows_after_10_mb

LOAD = """
import sys, datasets
datasets.disable_progress_bars()
for path in sys.argv[2:]:
    try:
        datasets.load_dataset("json", data_files=path, split="train", cache_dir=sys.argv[1])
        print("read")
    except Exception as error:
        print("stopped", type(error).__name__)
"""
CASES: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    *((usual, late, True) for usual, late, _ in LATE),
    *((usual, late, False) for usual, late in STILL_FITS),
]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What `datasets` said of every case."""
    folder = tmp_path_factory.mktemp("late")
    paths: list[Path] = []
    for number, (usual, late, _) in enumerate(CASES):
        paths.append(folder / f"{number}.jsonl")
        rows = rows_after_10_mb(late, **usual)
        paths[-1].write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    ended = subprocess.run(
        [os.environ["FTUI_TRAIN_PYTHON"], "-c", LOAD, str(folder / "cache"), *map(str, paths)],
        env=quiet_environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    return ended.stdout.split("\n")


@pytest.mark.parametrize("number", range(len(CASES)))
def test_what_comes_too_late_ends_the_reading(number: int, outcomes: list[str]) -> None:
    usual, late, stops = CASES[number]
    assert outcomes[number].startswith("stopped" if stops else "read"), (usual, late)
