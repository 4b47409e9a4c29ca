"""`ftui check`: what it says, what it writes and how it ends, without axolotl itself."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ftui.config import lint
from ftui.config.issue import Issue
from ftui.errors import RuntimeMissing
from ftui.plain import check
from ftui.plan.hardware import Gpu
from tests.terminal import Terminal
from tests.unit.command import Ended, ftui

GOOD = """\
base_model: some/model
datasets: [{path: some/rows, type: alpaca}]
learning_rate: 0.0002
micro_batch_size: 1
sequence_len: 512
max_steps: 10
output_dir: out
"""
OLD = GOOD + "# fast\nxformers_attention: true  # mine\n"
MENDED = GOOD + "# fast\nattn_implementation: xformers  # mine\n"
FTUI = str(Path(sys.executable).with_name("ftui"))
ON_A_GPU = ("--gpu", "a10")


Check = Callable[..., Ended]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty FTUI_HOME and current folder: no runtime, no file."""
    monkeypatch.setenv("FTUI_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("FTUI_TRAIN_PYTHON", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(home: Path, capfd: pytest.CaptureFixture[str]) -> Check:
    def call(content: str | bytes | None, *options: str) -> Ended:
        if content is not None:
            data = content if isinstance(content, bytes) else content.encode()
            (home / "config.yml").write_bytes(data)
        return ftui(capfd, "check", "config.yml", *options)

    return call


# What is right and what is wrong


def test_a_good_config_is_ok(run: Check) -> None:
    ended = run(GOOD, *ON_A_GPU)
    assert (ended.code, ended.out) == (0, "")
    assert "✓ no errors" in ended.err
    assert "axolotl 0.21.0's schema, for 1 × " in ended.err


def test_a_problem_is_told_with_file_line_and_key(run: Check) -> None:
    ended = run(GOOD + "micro_batch_sise: 2\n", *ON_A_GPU)
    assert ended.code == 2
    assert ended.out.startswith("✗ config.yml:8:micro_batch_sise: ")
    assert "\n    → did you mean micro_batch_size?\n" in ended.out
    assert "✗ 1 error\n" in ended.err


def test_what_can_be_mended_is_counted(run: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = run(OLD, *ON_A_GPU)
    assert "1 warning · 1 can be mended with --fix" in ended.err
    ended = run(OLD + "bf16: true\n", "--gpu", "none")
    assert "✗ 2 errors, 1 warning · 2 can be mended with --fix" in ended.err
    monkeypatch.setenv("PATH", "")  # no driver to ask: a machine without a GPU
    ended = run(OLD + "bf16: true\n")
    assert "✗ 2 errors, 1 warning · 1 can be mended with --fix" in ended.err


def test_a_config_is_linted_once_where_it_is_known_to_run(
    run: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    linted: list[object] = []

    def counting(text: str, *, gpus: Sequence[Gpu] | None, **options: Any) -> list[Issue]:
        linted.append(gpus)
        return lint.check(text, gpus=gpus, **options)

    monkeypatch.setattr(check, "lint", counting)
    run(GOOD, *ON_A_GPU)
    assert len(linted) == 1
    run("a: [\n")
    assert len(linted) == 2
    run(GOOD)
    assert len(linted) == 4


def test_the_document_is_all_there_is_on_stdout(run: Check) -> None:
    ended = run(GOOD + "lora_rank: 2\nadapter: lora\nlora_alpha: 2\n", "--json", *ON_A_GPU)
    assert ended.code == 2
    assert ended.document["ok"] is False
    [issue] = [one for one in ended.document["issues"] if one["path"] == "lora_rank"]
    assert set(issue) == {"severity", "path", "line", "message", "hint"}
    assert (issue["severity"], issue["line"], issue["hint"]) == ("error", 8, "write `lora_r: 2`")
    assert run(GOOD, "--json", *ON_A_GPU).document == {"ok": True, "issues": []}


BAD: dict[str, tuple[bytes, str, int]] = {
    "not YAML": (b"a: [1\nb: 2\n", "this is not YAML", 2),
    "a tab": (b"a:\n\tb: 1\n", "a tab; YAML is indented by spaces", 2),
    "a key twice": (GOOD.encode() + b"max_steps: 3\n", "twice", 8),
    "a list": (b"- a\n", "a config is lines of `key: value`", 1),
    "a word": (b"words\n", "a config is lines of `key: value`", 1),
    "nothing": (b"", "a config is lines of `key: value`", 1),
    "binary": (b"\x7fELF\x02\x01\x00\xff\xfe", "not UTF-8", 0),
    "UTF-16": ("base_model: m".encode("utf-16"), "not UTF-8", 0),
    "a control character": (b"a: 1\nb: \x00\n", "a character that YAML does not allow", 2),
    "two documents": (b"a: 1\n---\nb: 1\n", "a second document", 2),
    "a number as key": (GOOD.encode() + b"3: 1\n", "a key must be text", 8),
    "a boolean as key": (GOOD.encode() + b"on: 1\n", "a key must be text", 8),
    "nothing as key": (GOOD.encode() + b"~: 1\n", "a key must be text", 8),
    "a list as key": (b"? [a]\n: 1\n", "a key must be text", 1),
    "an anchor in itself": (b"a: &a [*a]\n", "an anchor contains itself", 1),
    "an unknown alias": (b"a: *b\n", "no anchor &b", 1),
    "a bomb": (
        b"a: &a [x,x,x,x,x,x,x,x,x,x]\n"
        + b"".join(
            b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 10))
            for i in range(9)
        ),
        "more than 200,000 values",
        1,
    ),
    "depth": (b"a: " + b"[" * 5000, "nested too deeply", 1),
    "depth in JSON": (
        GOOD.encode() + b"deepspeed: '" + b'{"a":' * 50_000 + b"'\n",
        "is not JSON",
        8,
    ),
    "a number beyond all": (GOOD.encode() + b"seed: 0x" + b"f" * 5000, "number is too long", 8),
    "10 MB": (b"a: 1\n" * 2_000_000, "too large", 0),
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_no_config_is_one_clear_issue(run: Check, what: str) -> None:
    content, words, line = BAD[what]
    ended = run(content, "--json", *ON_A_GPU)
    assert ended.code == 2
    assert ended.document["ok"] is False
    told = [one for one in ended.document["issues"] if words in one["message"]]
    assert len(told) == 1
    assert told[0]["line"] == line
    assert "Traceback" not in ended.err


MARK = b"\xef\xbb\xbf"


def test_a_byte_order_mark_is_no_problem_and_stays(run: Check, home: Path) -> None:
    assert run(MARK + GOOD.encode(), *ON_A_GPU).code == 0
    assert run(MARK + OLD.encode(), "--fix", "-y", *ON_A_GPU).code == 0
    assert (home / "config.yml").read_bytes() == MARK + MENDED.encode()


def test_a_file_that_is_not_there(run: Check) -> None:
    ended = run(None, "--json")
    assert ended.code == 2
    assert "cannot be read" in ended.document["issues"][0]["message"]


def test_a_link_that_leads_nowhere_can_be_told(run: Check, home: Path) -> None:
    (home / "config.yml").symlink_to("config.yml")
    ended = run(None)
    assert ended.code == 2
    assert "cannot be read" in ended.out


def test_a_folder_a_pipe_and_a_device_are_no_config(run: Check, home: Path) -> None:
    config = home / "config.yml"
    config.mkdir()
    assert "this is a folder" in run(None).out
    config.rmdir()
    os.mkfifo(config)
    assert "this is a pipe" in run(None).out
    config.unlink()
    config.symlink_to("/dev/zero")
    ended = run(None)
    assert (ended.code, "this is a device" in ended.out) == (2, True)


# For whom


def test_the_hardware_that_was_judged_is_told(run: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")  # no driver to ask: a machine without a GPU
    ended = run(GOOD)
    assert "for a CPU; --gpu a10 judges for another machine" in ended.err
    ended = run(GOOD, "--gpu", "a10:2")
    assert "for 2 × " in ended.err
    assert "--gpu" not in ended.err
    assert run(GOOD + "bf16: true\n", "--gpu", "none").code == 2
    assert run(GOOD + "bf16: true\n", "--gpu", "a10").code == 0


@pytest.mark.parametrize(
    "options",
    [
        ("--gpu", "a11"),
        ("--gpu", "a10:0"),
        ("--axolotl", "new"),
        ("--axolotl", ""),
        ("--axolotl", "0.²"),
        ("--axolotl", "9" * 5000),
        ("--fix", "--json"),
        ("-y",),
    ],
)
def test_options_that_make_no_sense(run: Check, options: tuple[str, ...]) -> None:
    ended = run(GOOD, *options)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("✗ ")


def test_the_version_decides(run: Check) -> None:
    text = GOOD + "fsdp_version: 1\nfsdp_config: {offload_params: true}\n"
    assert run(text, "--axolotl", "0.21.0", *ON_A_GPU).code == 2
    ended = run(text, "--axolotl", "0.19.0", *ON_A_GPU)
    assert "FSDP1 is old" in ended.out
    assert "axolotl 0.19.0's schema" in ended.err


@pytest.fixture
def environment(home: Path) -> Path:
    """A train runtime that cannot be run and does not tell its version."""
    made = home / "home" / "runtimes" / "train"
    (made / "bin").mkdir(parents=True)
    (made / "bin" / "python").symlink_to("/bin/false")
    (made / "ftui-runtime.json").write_text("{}")
    return made


def test_another_version_than_the_installed_one_is_named(run: Check, environment: Path) -> None:
    ended = run(GOOD, "--axolotl", "0.19.0", *ON_A_GPU)
    assert "not asked: the train runtime has axolotl of an unknown version" in ended.err
    (environment / "lib/python3.11/site-packages/axolotl-0.21.0.dist-info").mkdir(parents=True)
    ended = run(GOOD, "--axolotl", "0.19.0", *ON_A_GPU)
    assert "not asked: the train runtime has axolotl 0.21.0" in ended.err


@pytest.mark.parametrize(
    ("asked", "used"), [("0.4.1", "0.19.0"), ("0", "0.19.0"), ("99", "0.21.0")]
)
def test_a_version_without_a_schema_is_told(run: Check, asked: str, used: str) -> None:
    ended = run(GOOD, "--axolotl", asked, *ON_A_GPU)
    assert f"▲ ftui has no schema of axolotl {asked}: {used}'s is used" in ended.err


@pytest.mark.parametrize("asked", ["0.21", "v0.21", "0.21.7", "latest"])
def test_a_version_may_be_written_in_other_ways(run: Check, asked: str) -> None:
    ended = run(GOOD, "--axolotl", asked, *ON_A_GPU)
    assert "has no schema" not in ended.err
    assert "by axolotl 0.21.0's schema" in ended.err


def test_the_version_is_that_of_the_train_runtime(run: Check, environment: Path) -> None:
    (environment / "lib/python3.11/site-packages/axolotl-0.19.0.dist-info").mkdir(parents=True)
    ended = run(GOOD, *ON_A_GPU)
    assert ended.code == 0
    assert "axolotl 0.19.0's schema, for" in ended.err
    assert "▲ axolotl itself was not heard" in ended.err


# axolotl itself


def test_both_verdicts_are_one_report(run: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = [Issue("error", "datasets", 2, "axolotl's own words")]
    asked: list[tuple[Gpu, ...]] = []

    def answer(text: str, basis: check.Basis) -> list[Issue]:
        asked.append(basis.gpus)
        return theirs

    monkeypatch.setattr(check, "_axolotls_issues", answer)
    ended = run(GOOD + "lora_rank: x\n", *ON_A_GPU)
    assert "axolotl's own words" in ended.out
    assert "lora_rank" in ended.out
    assert "schema and axolotl itself" in ended.err
    assert len(asked[0]) == 1
    run("a: [\n", *ON_A_GPU)
    assert len(asked) == 1


def test_a_worker_that_fails_is_a_line_and_no_exit_code(
    run: Check, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    python = home / "python"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setenv("FTUI_TRAIN_PYTHON", str(python))
    ended = run(GOOD, *ON_A_GPU)
    assert ended.code == 0
    assert "▲ axolotl itself was not heard" in ended.err
    monkeypatch.setenv("FTUI_TRAIN_PYTHON", str(home / "nowhere"))
    ended = run(GOOD, *ON_A_GPU)
    assert (ended.code, "nowhere" in ended.err) == (0, True)


# --fix


def test_without_a_terminal_the_diff_is_shown_and_nothing_written(run: Check, home: Path) -> None:
    ended = run(OLD, "--fix", *ON_A_GPU)
    assert ended.code == 2
    assert (
        "-xformers_attention: true  # mine\n+attn_implementation: xformers  # mine\n" in ended.out
    )
    assert "\x1b" not in ended.out
    assert "add -y" in ended.err
    assert (home / "config.yml").read_text() == OLD


def test_with_yes_it_is_written_and_what_remains_is_told(run: Check, home: Path) -> None:
    ended = run(OLD + "qqqqqq: 1\n", "--fix", "-y", *ON_A_GPU)
    assert ended.code == 2
    assert (home / "config.yml").read_text() == MENDED + "qqqqqq: 1\n"
    assert "config.yml:10:qqqqqq" in ended.out
    assert "✗ 1 error\n" in ended.err
    assert run(OLD, "--fix", "-y", *ON_A_GPU).code == 0
    ended = run(None, "--fix", "-y", *ON_A_GPU)
    assert (ended.code, ended.out) == (0, "")
    assert "Nothing here can be mended" in ended.err


def test_a_config_is_not_fitted_to_this_machine(run: Check, home: Path) -> None:
    text = GOOD + "bf16: true\nadapter: qlora\nload_in_4bit: true\nlora_target_linear: true\n"
    run(text, "--fix", "-y")
    assert (home / "config.yml").read_text() == text


def test_a_written_file_keeps_its_mode_and_its_link(run: Check, home: Path) -> None:
    (home / "real").mkdir()
    real = home / "real" / "mine.yml"
    real.write_text(OLD)
    real.chmod(0o640)
    (home / "config.yml").symlink_to(real)
    assert run(None, "--fix", "-y", *ON_A_GPU).code == 0
    assert (home / "config.yml").is_symlink()
    assert real.read_text() == MENDED
    assert real.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in real.parent.iterdir()] == ["mine.yml"]


def test_a_file_that_cannot_be_written_stays(
    run: Check, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ftui.paths.write_atomic", full)
    ended = run(OLD, "--fix", "-y", *ON_A_GPU)
    assert ended.code == 2
    assert "cannot be written: no space left on device" in ended.err.replace("\n  ", ": ")
    assert (home / "config.yml").read_text() == OLD


def test_a_file_that_changed_meanwhile_stays(
    run: Check, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def agree() -> bool:
        (home / "config.yml").write_text(GOOD)
        return True

    monkeypatch.setattr(check, "agreed", agree)
    ended = run(OLD, "--fix", *ON_A_GPU)
    assert (ended.code, "changed meanwhile" in ended.err) == (2, True)
    assert (home / "config.yml").read_text() == GOOD


@pytest.mark.parametrize(("answer", "written"), [("y", True), ("n", False), ("", False)])
def test_at_a_terminal_it_asks(home: Path, answer: str, written: bool) -> None:
    config = home / "config.yml"
    config.write_text(OLD)
    command = [FTUI, "check", "config.yml", "--fix", *ON_A_GPU]
    with Terminal(command, env={"FTUI_HOME": str(home / "home")}) as terminal:
        terminal.wait_for("Write it? [y/N]")
        terminal.press(answer, "enter")
        terminal.wait_for("schema")
        assert terminal.process.wait(10) == 0
    assert config.read_text() == (MENDED if written else OLD)


def test_it_is_quick(home: Path) -> None:
    (home / "config.yml").write_text(OLD)
    command = [sys.executable, "-X", "importtime", FTUI, "check", "config.yml", *ON_A_GPU]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}
    assert "ftui.config.lint" in loaded
    assert not loaded & {"asyncio", "textual", "rich", "questionary", "httpx2", "ftui.targets"}


def test_a_missing_runtime_is_named(run: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(kind: object) -> None:
        raise RuntimeMissing("the named Python is gone")

    monkeypatch.setattr(check, "find", missing)
    ended = run(GOOD, *ON_A_GPU)
    assert (ended.code, "the named Python is gone" in ended.err) == (0, True)
