"""The editor: in place of the app, in the other half of a tmux window, or in its own window."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.geometry import Size

from ftui.errors import FtuiError, UsageError
from ftui.tui import editor


class FakeApp:
    """An app of a size, that notes when it gives its terminal away."""

    def __init__(self, columns: int = 200, rows: int = 60) -> None:
        self.size = Size(columns, rows)
        self.suspended = 0

    @contextlib.contextmanager
    def suspend(self) -> Iterator[None]:
        self.suspended += 1
        yield


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH beside the system's own: commands that write down their arguments."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    for name in ("VISUAL", "EDITOR", "TMUX"):
        monkeypatch.delenv(name, raising=False)
    return folder


def tool(folder: Path, name: str, code: int = 0) -> Path:
    """A command; what it was called with is in the file that is returned."""
    told = folder / f"{name}.told"
    path = folder / name
    script = f'printf "%s\\n" "$@" > {told}.new; mv {told}.new {told}; exit {code}'
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return told


def edit(app: Any, path: Path) -> None:
    editor.edit(app, path)


def test_a_terminal_editor_takes_the_terminal(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = tool(tools, "my-vi")
    monkeypatch.setenv("EDITOR", "my-vi -n")
    app = FakeApp()
    edit(app, Path("config.yml"))
    assert told.read_text().split() == ["-n", "config.yml"]
    assert app.suspended == 1


def test_visual_comes_before_editor(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = tool(tools, "one")
    monkeypatch.setenv("VISUAL", "one")
    monkeypatch.setenv("EDITOR", "two")
    edit(FakeApp(), Path("config.yml"))
    assert told.exists()


@pytest.mark.parametrize(
    ("size", "direction"), [((200, 60), "-h"), ((120, 60), "-v"), ((120, 40), ""), ((80, 24), "")]
)
def test_in_tmux_it_stands_beside_the_app_where_both_have_room(
    tools: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], direction: str
) -> None:
    told, own = tool(tools, "tmux"), tool(tools, "my-vi")
    monkeypatch.setenv("EDITOR", "my-vi")
    monkeypatch.setenv("TMUX", "socket,1,0")
    app = FakeApp(*size)
    edit(app, Path("a b.yml"))
    if direction:
        words = told.read_text().splitlines()
        assert words[:2] == ["split-window", direction]
        assert words[-1] == "my-vi 'a b.yml'"
        assert app.suspended == 0
    else:
        assert own.exists()
        assert app.suspended == 1


def test_a_tmux_that_cannot_split_is_no_obstacle(
    tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool(tools, "tmux", code=1)
    own = tool(tools, "my-vi")
    monkeypatch.setenv("EDITOR", "my-vi")
    monkeypatch.setenv("TMUX", "socket,1,0")
    edit(FakeApp(), Path("config.yml"))
    assert own.exists()


def test_an_editor_with_a_window_of_its_own_leaves_the_app_alone(
    tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tool(tools, "code")
    monkeypatch.setenv("EDITOR", "code --wait")
    app = FakeApp()
    edit(app, Path("config.yml"))
    _wait_for(told)
    assert told.read_text().split() == ["--wait", "config.yml"]
    assert app.suspended == 0


def _wait_for(path: Path) -> None:
    end = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < end, f"{path} never came"
        time.sleep(0.01)


def test_what_cannot_be_opened_or_ends_badly_is_told(
    tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDITOR", "not-there-at-all")
    with pytest.raises(UsageError, match="could not be opened"):
        edit(FakeApp(), Path("config.yml"))
    tool(tools, "bad", code=3)
    monkeypatch.setenv("EDITOR", "bad")
    with pytest.raises(FtuiError, match="ended with code 3"):
        edit(FakeApp(), Path("config.yml"))


@pytest.mark.parametrize("value", ["", " ", "\t"])
def test_a_blank_variable_names_no_editor(
    tools: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    told = tool(tools, "my-vi")
    monkeypatch.setenv("VISUAL", value)
    monkeypatch.setenv("EDITOR", "my-vi")
    edit(FakeApp(), Path("config.yml"))
    assert told.exists(), "and the config itself is not run"


def test_a_variable_that_is_no_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", "vim '")
    with pytest.raises(UsageError, match=r"EDITOR is no command: vim '.*no closing quotation"):
        edit(FakeApp(), Path("config.yml"))


def test_the_fallbacks_and_none_at_all(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = tool(tools, "vi")
    monkeypatch.setenv("PATH", f"{tools}:/bin")
    monkeypatch.setattr(editor, "_FALLBACKS", ("not-there-at-all", "vi"))
    edit(FakeApp(), Path("config.yml"))
    assert told.exists()
    monkeypatch.setattr(editor, "_FALLBACKS", ("not-there-at-all",))
    with pytest.raises(UsageError, match="no editor"):
        edit(FakeApp(), Path("config.yml"))
