"""`ftui doctor` and the targets that rent machines: who answers, with which login."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from ftui.errors import TargetUnavailable
from ftui.runtimes.doctor import Finding
from ftui.targets.modal import market
from ftui.targets.reach import examine
from tests.standins.dstack_server import DstackServer
from tests.standins.dstack_service import logged_in


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DstackServer]:
    """A dstack server that the person is logged in to; to Modal they are not."""
    for name in ("MODAL_TOKEN_ID", "MODAL_TOKEN_SECRET", "MODAL_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MODAL_CONFIG_PATH", str(tmp_path / "modal.toml"))
    with logged_in(tmp_path, monkeypatch) as made:
        yield made


def found() -> dict[str, Finding]:
    return {finding.name: finding for finding in examine()}


def test_one_that_answers_says_whose_login_that_was(server: DstackServer) -> None:
    told = found()["dstack"]
    assert told.ok
    assert told.evidence.startswith(f"project main, {server.url}, version ")


def test_no_login_is_no_fault(server: DstackServer) -> None:
    told = found()["modal"]
    assert told == Finding("modal", True, "not logged in: nothing is rented there")


def test_a_server_that_is_gone_is_one(tmp_path: Path, server: DstackServer) -> None:
    login = {"name": "main", "url": "http://127.0.0.1:9", "token": "t", "default": True}
    file = tmp_path / "person" / ".dstack" / "config.yml"
    file.write_text(yaml.safe_dump({"projects": [login]}))
    told = found()["dstack"]
    assert not told.ok
    assert "127.0.0.1:9" in told.evidence


def test_a_login_that_cannot_be_read_is_one(tmp_path: Path, server: DstackServer) -> None:
    (tmp_path / "modal.toml").write_text("[")
    told = found()["modal"]
    assert not told.ok
    assert "modal setup" in told.hint


def test_modal_is_asked_where_there_is_a_login(
    tmp_path: Path, server: DstackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = {"token_id": "ak-1", "token_secret": "as-1"}
    lines = [f"{key} = {json.dumps(value)}" for key, value in tokens.items()]
    (tmp_path / "modal.toml").write_text("\n".join(["[work]", *lines]))

    def refused() -> str:
        raise TargetUnavailable("Modal refuses the login", hint="modal setup")

    monkeypatch.setattr(market, "reached", refused)
    assert found()["modal"] == Finding("modal", False, "Modal refuses the login", "modal setup")
    monkeypatch.setattr(market, "reached", lambda: "profile work, workspace acme")
    assert found()["modal"] == Finding("modal", True, "profile work, workspace acme")
