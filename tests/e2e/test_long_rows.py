"""A row of more tokens than anyone reads: its beginning is shown, and how much more there is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftui.cli import _guarded, cli

LONG, SHORT = "ab " * 20_000, "ab"


def test_the_beginning_of_a_long_row_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = {"role": "user", "content": "Why?"}
    rows = [[asked, {"role": "assistant", "content": text}] for text in (LONG, *[SHORT] * 5)]
    lines = "".join(json.dumps({"messages": turns, "n": n}) + "\n" for n, turns in enumerate(rows))
    Path("rows.jsonl").write_text(lines)
    line = ["data", "rows.jsonl", "--preset", "nano-sql-lora", "--show", "2"]
    assert _guarded(lambda: cli.main(line, prog_name="ftui", standalone_mode=False)) == 0
    first, second, *_ = capsys.readouterr().out.split("row ")[1:]
    assert "longer than sequence_len" in first
    assert " more tokens, " in first
    assert "of them learnt" in first
    assert len(first) < 20_000
    assert "more tokens" not in second
