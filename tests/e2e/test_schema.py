"""What ftui ships about axolotl is what the real package says: made again, it is the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftui.config import schema
from tests.e2e.axolotl_wheels import run_over, unpack

FOLDER = Path(schema.__file__).parent


@pytest.mark.parametrize("version", schema.VERSIONS)
def test_schema_and_names_are_the_real_packages_own(version: str, tmp_path: Path) -> None:
    wheel = unpack(version, tmp_path)
    for script, shipped in (("make_schema.py", "axolotl"), ("make_names.py", "names")):
        made = run_over(wheel, FOLDER / script)
        text = (FOLDER / f"{shipped}-{version}.json").read_text(encoding="utf-8")
        assert made == text, f"run {script} with that axolotl and look at the difference"
