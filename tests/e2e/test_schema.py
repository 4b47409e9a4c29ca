"""What ftui ships about axolotl is what the real package says: made again, it is the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftui.config import schema
from tests.e2e.axolotl_wheels import run_over, unpack

FOLDER = Path(schema.__file__).parent


@pytest.mark.parametrize("version", schema.VERSIONS)
def test_the_schema_is_the_real_packages_own(version: str, tmp_path: Path) -> None:
    made = run_over(unpack(version, tmp_path), FOLDER / "make_schema.py")
    shipped = (FOLDER / f"axolotl-{version}.json").read_text(encoding="utf-8")
    assert made == shipped, "run make_schema.py with that axolotl and look at the difference"
