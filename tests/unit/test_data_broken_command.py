"""`ftui data` of over a hundred broken datasets: where, what and what to do; exit code 2; no trace.

With `--json` each gives one document with the keys of the contract.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ftui.cli import _guarded, cli
from tests.tools.broken_rows import CASES, GOOD, Case

KEYS = {"ok", "format", "rows", "kept", "dropped", "issues"}
"""Of the document (DESIGN.md, the command line); `tokens` only where a training is named."""
Make = Callable[[Path], Path]
CHAT = '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}\n'


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FTUI_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def run(path: Path, *more: str) -> int:
    line = ["data", str(path), *more]
    return _guarded(lambda: cli.main(line, prog_name="ftui", standalone_mode=False))


def told(path: Path, capsys: pytest.CaptureFixture[str], line: int = 0) -> None:
    """Everything that holds for each: the place, the words, the hint, the code, the document.

    A file that is none of rows at all is told as a whole: its line is 0, and nothing is read.
    """
    assert run(path) == 2
    printed = capsys.readouterr()
    everything = printed.out + printed.err
    assert "Traceback" not in everything
    place = re.escape(path.name) + (rf"(?::{line}\b|: )" if line else "")
    assert re.search(place, everything)
    assert "→ " in everything
    assert run(path, "--json") == 2
    document = json.loads(capsys.readouterr().out)
    assert document.keys() >= KEYS
    assert document["ok"] is False
    assert document["kept"] + document["dropped"] == document["rows"]
    assert document["issues"]
    for issue in document["issues"]:
        assert issue.keys() == {"file", "line", "field", "message", "hint"}
        assert issue["message"]
        assert issue["hint"]
        assert isinstance(issue["line"], int)
    lines = [issue["line"] for issue in document["issues"]]
    whole = document["rows"] == 0 and lines == [0]
    assert not line or line in lines or whole


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_is_told_by_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], case: Case
) -> None:
    path = tmp_path / case.name
    path.write_bytes(case.content)
    told(path, capsys, case.line)


def _row(number: int, row: str) -> Make:
    """Good conversations, and in line `number` another row."""

    def make(path: Path) -> Path:
        path.write_text(CHAT * (number - 1) + row + "\n" + CHAT, encoding="utf-8")
        return path

    return make


def _linked(path: Path) -> Path:
    path.symlink_to(path)
    return path


def _dangling(path: Path) -> Path:
    path.symlink_to(path.with_name("gone.jsonl"))
    return path


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def _folder_of_many(path: Path) -> Path:
    path.mkdir()
    (path / "a.jsonl").write_bytes(GOOD)
    (path / "b.csv").write_bytes(b"text\na\n")
    return path


def _pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


VALUES: dict[str, tuple[Make, int]] = {
    "no column": (_row(3, '{"other": 1}'), 3),
    "nothing in the column": (_row(3, '{"messages": null}'), 3),
    "no turns": (_row(2, '{"messages": []}'), 2),
    "no role": (_row(4, '{"messages": [{"content": "a"}]}'), 4),
    "no content": (_row(2, '{"messages": [{"role": "user"}]}'), 2),
    "a role that is a number": (_row(2, '{"messages": [{"role": 1, "content": "a"}]}'), 2),
    "a content that is a number": (_row(2, '{"messages": [{"role": "user", "content": 1}]}'), 2),
    "a turn that is null": (_row(2, '{"messages": [null]}'), 2),
    "a turn that is text": (_row(2, '{"messages": ["a"]}'), 2),
    "null inside null": (_row(2, '{"messages": [{"role": null, "content": {"a": null}}]}'), 2),
    "an object for turns": (_row(2, '{"messages": {"role": "user", "content": "a"}}'), 2),
    "turns as text": (_row(2, '{"messages": "hello"}'), 2),
    "turns as Python text": (_row(2, "{\"messages\": \"[{'role': 'user'}]\"}"), 2),
    "an empty row": (_row(2, "{}"), 2),
    "a key twice": (_row(2, '{"messages": [], "messages": []}'), 2),
    "a system prompt in one row": (_row(2, CHAT.strip()[:-1] + ', "system": "s"}'), 1),
    "a symlink loop": (_linked, 0),
    "a link to nothing": (_dangling, 0),
    "a folder of nothing": (_folder, 0),
    "a folder of two formats": (_folder_of_many, 0),
    "a pipe": (_pipe, 0),
    "nothing": (lambda path: path, 0),
    "a device": (lambda path: Path("/dev/zero"), 0),
}


@pytest.mark.parametrize("name", VALUES)
def test_what_is_no_row_of_its_type_is_told_by_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    make, line = VALUES[name]
    told(make(tmp_path / "rows.jsonl"), capsys, line)


def test_a_file_that_nobody_may_read_is_told_by_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(GOOD)
    real = os.open

    def refusing(name: object, *more: object, **words: object) -> int:
        if str(name) == str(path):  # as for anyone but root, who may read everything
            raise PermissionError(13, "Permission denied", str(path))
        return real(name, *more, **words)  # type: ignore[arg-type]

    monkeypatch.setattr("ftui.data.source.os.open", refusing)
    told(path, capsys)
