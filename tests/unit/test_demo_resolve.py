"""`builtin:` references: unpacked once, whole, and never changed under a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftui import demo
from ftui.errors import TargetUnavailable, UsageError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FTUI_HOME", str(tmp_path))
    return tmp_path


def test_a_file_is_unpacked_below_the_home_once(home: Path) -> None:
    path = demo.resolve("builtin:nl2sql/train.jsonl")
    assert path.is_absolute()
    assert path.is_relative_to(home / "demo")
    assert path.read_text(encoding="utf-8").startswith('{"messages"')
    stamp = path.stat().st_mtime_ns
    assert demo.resolve("builtin:nl2sql/train.jsonl") == path
    assert path.stat().st_mtime_ns == stamp


def test_parts_of_one_folder_lie_together() -> None:
    train = demo.resolve("builtin:nl2sql/train.jsonl")
    assert demo.resolve("builtin:nl2sql/heldout.jsonl").parent == train.parent


def test_deepspeed_files_are_built_in() -> None:
    assert '"stage": 3' in demo.resolve("builtin:deepspeed/zero3.json").read_text()


def test_another_content_is_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("one", "two"):
        folder = tmp_path / version / "nano"
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(version)
    found = []
    for version in ("one", "two"):
        sources = {"nano": tmp_path / version / "nano"}
        monkeypatch.setattr(demo, "_sources", lambda sources=sources: sources)
        found.append(demo.resolve("builtin:nano"))
    assert [(path / "config.json").read_text() for path in found] == ["one", "two"]


def test_nothing_half_unpacked_is_left_or_used(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(source: Path, target: Path) -> None:
        target.mkdir()
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("shutil.copytree", full_disk)
        with pytest.raises(TargetUnavailable, match="no space left"):
            demo.resolve("builtin:nl2sql/train.jsonl")
    assert not [path for path in home.rglob("*") if path.name == "nl2sql"]
    assert demo.resolve("builtin:nl2sql/train.jsonl").is_file()


@pytest.mark.parametrize(
    "reference",
    ["builtin:", "builtin:nope", "builtin:nl2sql/nope", "builtin:nl2sql/../tables.py"],
)
def test_a_reference_to_nothing(reference: str) -> None:
    with pytest.raises(UsageError) as caught:
        demo.resolve(reference)
    assert "builtin:nl2sql" in caught.value.hint


def test_what_was_unpacked_is_known_by_its_reference() -> None:
    for reference in ("builtin:nano", "builtin:nl2sql/train.jsonl"):
        assert demo.referred(str(demo.resolve(reference))) == reference
    assert demo.referred("Qwen/Qwen3-0.6B") == "Qwen/Qwen3-0.6B"
