"""Every failure signature finds its real excerpts, and nothing else does."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from ftui.runs.failures import matching
from ftui.runs.failures.cause import Cause
from ftui.runs.failures.log_tail import BYTES, LogTail, read_tail
from ftui.runs.failures.matching import Found
from ftui.runs.failures.signature import Signature
from ftui.runs.failures.table import SIGNATURES

EXCERPTS = Path(__file__).parents[1] / "fixtures" / "failures"
LOGS = sorted(path for path in EXCERPTS.glob("*.log") if path.stem != "healthy")
BY_NAME = {signature.name: signature for signature in SIGNATURES}


def matched(path: Path) -> Found | None:
    tail = read_tail(path)
    found = matching.find(tail, SIGNATURES)
    return found or matching.find(tail, SIGNATURES, echoes=True)


def test_there_are_enough_and_their_names_are_their_own() -> None:
    assert len(SIGNATURES) >= 50
    assert len(BY_NAME) == len(SIGNATURES)


def test_every_signature_has_an_excerpt_and_every_excerpt_a_source() -> None:
    assert {path.name.split(".")[0] for path in LOGS} == set(BY_NAME)
    sources = (EXCERPTS / "SOURCES.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| ([\w.-]+) \| (?:https://|provoked here)", sources, re.MULTILINE)
    assert set(told) == {path.stem for path in LOGS} | {"healthy"}


def test_no_excerpt_tells_of_this_machine_or_holds_a_token() -> None:
    for path in EXCERPTS.iterdir():
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"/root/|/tmp/|\bhf_[A-Za-z0-9]{20}", text), path.name


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
def test_each_excerpt_is_found_by_its_own_signature(path: Path) -> None:
    found = matched(path)
    assert found is not None
    assert found.signature.name == path.name.split(".")[0]
    assert found.line.text.strip()
    assert 0 < found.line.number <= len(read_tail(path).text.splitlines())


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
def test_what_is_said_is_whole(path: Path) -> None:
    found = matched(path)
    assert found is not None
    assert not re.search(r"[{}]|None|  |^[A-Z][a-z]+Error| {2}|\.$", found.says), found.says


@pytest.mark.parametrize("signature", SIGNATURES, ids=lambda signature: signature.name)
def test_the_words_are_for_people(signature: Signature) -> None:
    for text in (signature.what, signature.why, signature.hint):
        assert text
        assert not text.endswith(".")
    assert len(signature.why) < 160


def test_a_training_that_went_well_matches_nothing() -> None:
    tail = read_tail(EXCERPTS / "healthy.log")
    assert matching.find(tail, SIGNATURES) is None
    assert matching.find(tail, SIGNATURES, echoes=True) is None


def text(*names: str) -> str:
    return "".join((EXCERPTS / f"{name}.log").read_text(encoding="utf-8") for name in names)


def first(log: str) -> str:
    found = matching.find(LogTail(log), SIGNATURES)
    return found.signature.name if found else ""


METRICS = "{'loss': '5.1', 'grad_norm': '18.05', 'learning_rate': '0.00075'}\n"


def test_the_newest_failure_counts() -> None:
    assert first(text("rate-limit", "disk-full")) == "disk-full"
    assert first(text("disk-full", "rate-limit")) == "rate-limit"


def test_what_the_training_outlived_did_not_end_it() -> None:
    log = text("no-module")
    assert first(log + METRICS) == "no-module"  # of another process that had not noticed
    assert first(log + METRICS * 2) == ""


def test_what_launchers_and_other_processes_say_counts_only_alone() -> None:
    log = text("gpu-memory", "nccl-timeout", "process-killed")
    assert first(log) == "gpu-memory"
    found = matching.find(LogTail(log), SIGNATURES, echoes=True)
    assert found is not None
    assert found.signature.name == "process-killed"


def test_numbers_of_the_log_are_in_the_words() -> None:
    found = matched(EXCERPTS / "gpu-memory.log")
    assert found is not None
    assert found.says == (
        "GPU 0 ran out of memory (CUDA out of memory): "
        "4.22 GiB more were asked for, 3.71 GiB of 15.69 GiB were free"
    )


def test_ranks_bars_and_control_codes_hide_nothing(tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    bar = " 33%|███▎      | 2/6 [00:00<00:00,  3.47it/s]"
    error = "\x1b[31mValueError: Attempting to unscale FP16 gradients.\x1b[0m"
    log.write_bytes(f"\r{bar}\r{bar}[rank1]: {error}\r\n[rank1]: more\n".encode())
    found = matched(log)
    assert found is not None
    assert found.signature.name == "fp16-weights"
    assert "\x1b" not in found.line.text


def test_hostile_text_is_only_text(tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    name = b"{0.__class__}\x1b]0;owned\x07%s{asked}"
    log.write_bytes(b"ValueError: " + name + b" is not a valid OptimizerNames, please\n")
    found = matched(log)
    assert found is not None
    assert "{0.__class__}" in found.says
    assert "\x1b" not in found.says


def test_a_large_log_costs_no_more_than_its_end(tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    line = ("{'loss': '0.5', 'grad_norm': '0.6'} " + "x" * 60 + "\n").encode()
    with log.open("wb") as file:
        block = line * (2**20 // len(line))
        for _ in range(200):
            file.write(block)
        file.write((EXCERPTS / "disk-full.log").read_bytes())
    begin = time.process_time()
    tail = read_tail(log)
    found = matched(log)
    assert time.process_time() - begin < 2
    assert len(tail.text) <= BYTES
    assert found is not None
    assert found.signature.name == "disk-full"
    assert found.line.number == 0  # too far to count
    assert 0 < found.line.from_end < 60


def test_a_line_that_never_ends_is_bounded(tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    log.write_bytes(b"\r 1%| | 1/2 [00:00<00:00]" * 200_000 + b"\nOSError: [Errno 122] x\n")
    begin = time.process_time()
    found = matched(log)
    assert time.process_time() - begin < 2
    assert found is not None
    assert found.signature.name == "disk-quota"


@pytest.mark.parametrize("start", ["a", "'", "|", "{'loss': '1', 'grad_norm': 'nan', ", "\n"])
def test_no_pattern_is_slow_on_any_text(start: str) -> None:
    begin = time.process_time()
    tail = LogTail(start * (BYTES // len(start)))
    matching.find(tail, SIGNATURES)
    matching.find(tail, SIGNATURES, echoes=True)
    assert time.process_time() - begin < 3


def test_every_cause_has_a_glyph_and_a_word() -> None:
    assert len({cause.glyph for cause in Cause}) == len(Cause)
    assert all(cause.value for cause in Cause)
