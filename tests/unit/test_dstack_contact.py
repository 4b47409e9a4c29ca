"""What is told of another side that does not answer (targets/remote/contact.py)."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from ftui.runs import events
from ftui.runs.model import Run
from ftui.runs.tail import EventFollower, read_history
from ftui.targets.dstack.api import Refused, Unreachable
from ftui.targets.remote import contact
from ftui.targets.remote.contact import Contact


@pytest.fixture
def notes() -> list[str]:
    return []


def made(run: Run, notes: list[str]) -> Contact:
    return Contact(run, "the server", Unreachable, note=notes.append, keep=lambda: None)


async def refused(error: Exception) -> None:
    raise error


async def answered() -> str:
    return "yes"


def kinds(run: Run) -> list[str]:
    return [event.kind for event in EventFollower(run).poll()]


async def test_one_question_without_an_answer_is_told_while_it_hangs(
    tmp_path: Path, notes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contact, "SILENT_SECONDS", 0.01)
    run = Run(tmp_path)
    there = made(run, notes)
    answer = asyncio.Event()
    asking = asyncio.create_task(there.heard(answer.wait()))
    async with asyncio.timeout(30):
        while not notes:
            await asyncio.sleep(0.01)
        silence = read_history(run).silence
        assert silence is not None
        assert silence.whom == "the server"
        assert 0 <= time.time() - silence.since < 60
        answer.set()
        assert await asking

    assert kinds(run) == ["silent", "heard"]
    assert "nothing is heard from the server since" in notes[0]
    assert "answers again, after" in notes[1]
    assert read_history(run).silence is None


async def test_a_short_silence_is_nothing_to_speak_of(tmp_path: Path, notes: list[str]) -> None:
    there = made(Run(tmp_path), notes)
    for _ in range(3):
        with pytest.raises(Unreachable):
            await there.heard(refused(Unreachable("no")))
    assert await there.heard(answered()) == "yes"
    assert notes == []


async def test_a_refusal_is_an_answer(
    tmp_path: Path, notes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contact, "SILENT_SECONDS", 0.0)
    there = made(Run(tmp_path), notes)
    with pytest.raises(Unreachable):
        await there.heard(refused(Unreachable("no")))
    with pytest.raises(Refused):
        await there.heard(refused(Refused("not you")))
    assert kinds(Run(tmp_path)) == ["silent", "heard"]


async def test_a_pause_without_questions_is_no_silence(
    tmp_path: Path, notes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = made(Run(tmp_path), notes)
    await there.heard(answered())
    now = time.monotonic() + 1000
    monkeypatch.setattr("ftui.targets.remote.contact.time.monotonic", lambda: now)
    await there.heard(answered())
    assert notes == []


async def test_a_later_follower_tells_the_end_of_a_silence(
    tmp_path: Path, notes: list[str]
) -> None:
    run = Run(tmp_path)
    events.append(run.events_file, "silent", whom="the server", since=time.time() - 5 * 3600)
    await made(run, notes).heard(answered())
    assert read_history(run).silence is None
    assert "answers again, after 5 h" in notes[0]
