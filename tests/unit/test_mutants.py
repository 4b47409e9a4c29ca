"""No spoilt key passes: 2,400 mutants of the built-in presets, one key wrong in each."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from ftui.config import schema
from ftui.config.lint import check
from tests.tools import mutants

PARTS = 4


@cache
def made() -> list[mutants.Mutant]:
    return mutants.mutants(mutants.COUNT)[0]


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One home for all: the configs name what is unpacked in it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FTUI_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.mark.parametrize("part", range(PARTS))
def test_every_mutant_is_told_at_its_line_with_what_to_write_and_nothing_else(part: int) -> None:
    outcomes = [mutants.judge(mutant) for mutant in made()[part::PARTS]]
    missed = [each.mutant for each in outcomes if not each.told]
    assert [(each.preset, each.kind, each.place, each.what) for each in missed] == []
    unrelated = [(each.mutant.preset, each.mutant.what, each.unrelated) for each in outcomes]
    assert [each for each in unrelated if each[2]] == []


def test_there_are_enough_of_each_kind() -> None:
    kinds = [mutant.kind for mutant in made()]
    assert min(kinds.count(kind) for kind in ("misspell", "drop", "retype", "misplace")) > 200


@pytest.mark.parametrize("version", schema.VERSIONS)
@pytest.mark.parametrize("name", mutants.preset_names())
def test_no_unspoilt_preset_gets_a_word(name: str, version: str) -> None:
    text, gpus = mutants.configs()[name]
    assert check(text, axolotl=version, gpus=gpus, folder=Path.cwd()) == []
