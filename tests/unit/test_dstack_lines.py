"""From the pieces of a terminal's output to whole lines, and a follower that may be killed."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftui.runs.model import Run
from ftui.targets.dstack import position
from ftui.targets.dstack.lines import Lines, Taken

EVENT = b'{"v": 1, "event": "step", "step": 3}'
OUTPUT = (
    b"loading\r\n"
    b"\r 10%|#         | 1/10\r 20%|##        | 2/10@ftui " + EVENT + b"\r\n"
    b"\r 30%|###       | 3/10\r\n"
    b'@ftui {"v": 1, "event": "saved"}\r\n'
    b"gr\xc3\xbc\xc3\x9fe\r\n"
    b"@ftui ready 0\r\n"
)


def fed(pieces: list[bytes]) -> Taken:
    lines, everything = Lines(), Taken()
    for piece in pieces:
        taken = lines.feed(piece)
        everything.log += taken.log
        everything.events += taken.events
        everything.ready = everything.ready if taken.ready is None else taken.ready
    everything.log += lines.end()
    return everything


@given(st.lists(st.integers(0, len(OUTPUT)), max_size=12))
def test_it_is_the_same_wherever_the_pieces_are_cut(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(OUTPUT)]
    taken = fed([OUTPUT[a:b] for a, b in pairwise(edges)])

    assert taken == fed([OUTPUT])
    assert taken.events == [EVENT, b'{"v": 1, "event": "saved"}']
    assert taken.ready == 0
    assert taken.log.decode() == "loading\n 20%|##        | 2/10\r 30%|###       | 3/10\ngrüße\n"


def test_what_only_looks_like_an_event_stays_in_the_log() -> None:
    taken = fed([b"@ftui {torn\r\n@ftui 7\r\n@ftui ready x\r\nmail me@ftui now\r\n"])
    assert taken.events == []
    assert taken.ready is None
    assert taken.log == b"@ftui {torn\n@ftui 7\n@ftui ready x\nmail me@ftui now\n"


def test_a_last_line_without_its_end_is_not_lost() -> None:
    assert fed([b"one\r\nKilled"]).log == b"one\nKilled\n"


# ── A follower that is killed ────────────────────────────────────────────────────────────────


class Killed(Exception):
    """The follower ends here."""


def batches() -> list[bytes]:
    """Three polls: each one whole lines and events, and the beginning of the next line."""
    text = b"".join(
        b'line %d\r\n@ftui {"v": 1, "event": "step", "step": %d}\r\n' % (n, n) for n in range(30)
    )
    return [text[a : a + 200] for a in range(0, len(text), 200)]


def follow(run: Run, pieces: list[bytes], *, die_at: int = -1, half: bool = False) -> None:
    """Take in every piece after the position, and die before that of number `die_at` is kept."""
    sink = position.Sink(run)
    lines = Lines(position.rest_of(sink.position))
    for number in range(int(sink.position.after or 0), len(pieces)):
        taken = lines.feed(pieces[number])
        if number == die_at:
            cut = len(taken.log) // 2 if half else len(taken.log)
            with run.log_file.open("ab") as log:
                log.write(taken.log[:cut])
            if not half and taken.events:
                with run.events_file.open("ab") as events:
                    events.write(b"".join(line + b"\n" for line in taken.events)[:-5])
            raise Killed
        sink.append(taken, after=str(number + 1), rest=position.encoded(lines.rest))


@pytest.mark.parametrize("half", [True, False])
def test_nothing_is_doubled_or_lost_wherever_the_follower_is_killed(
    tmp_path: Path, half: bool
) -> None:
    whole = Run(tmp_path / "whole")
    whole.folder.mkdir()
    follow(whole, batches())
    for die_at in range(len(batches())):
        run = Run(tmp_path / f"killed-{die_at}")
        run.folder.mkdir()
        with pytest.raises(Killed):
            follow(run, batches(), die_at=die_at, half=half)
        follow(run, batches())

        assert run.log_file.read_bytes() == whole.log_file.read_bytes()
        assert steps(run) == list(range(30))


def test_a_stop_that_was_asked_for_meanwhile_is_kept(tmp_path: Path) -> None:
    run = Run(tmp_path)
    with pytest.raises(Killed):
        follow(run, batches(), die_at=2)
    with run.events_file.open("ab") as events:
        events.write(b'\n{"v": 1, "event": "stop_requested"}\n')
    follow(run, batches())

    assert steps(run) == list(range(30))
    assert run.events_file.read_text().count("stop_requested") == 1


def test_what_was_there_before_the_run_is_left_alone(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.log_file.write_text("an earlier try\n")
    follow(run, batches()[:1])
    assert run.log_file.read_bytes().startswith(b"an earlier try\nline 0\n")


def steps(run: Run) -> list[int]:
    """The steps of the whole events in the file, in their order."""
    found = []
    for line in run.events_file.read_text().splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if event["event"] == "step":
            found.append(event["step"])
    return found
