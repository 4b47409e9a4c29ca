"""What a set-up leaves behind: a whole environment or none, whatever happens to it.

A small script stands in for uv (given by its path); the rest is real: processes, locks, signals.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from ftui.errors import Interrupted, RuntimeMissing
from ftui.plan.hardware import Gpu, Hardware
from ftui.runtimes import Kind, find, install
from ftui.runtimes.find import MARKER, environment
from ftui.runtimes.install import Progress, log_file

CPU = Hardware(cores=2, memory_gib=8)
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"

# `venv` makes a Python that answers the check; `pip install` does what $FAKE says.
FAKE_UV = f"""#!{sys.executable} -IS
import json, os, pathlib, subprocess, sys, time
here = pathlib.Path(__file__).parent
mode = os.environ.get("FAKE", "")
with open(here / "calls", "a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
if sys.argv[1] == "python":
    if sys.argv[-1] != "{VERSION}":
        sys.exit("error: No interpreter found")
    print(sys.executable)
elif sys.argv[1] == "venv":
    python = pathlib.Path(sys.argv[-1]) / "bin" / "python"
    python.parent.mkdir(parents=True)
    ok = 'ftui-check {{"axolotl": "0.19.0", "torch": "2.13.0", "python": "3.11.7", "gpus": "0"}}'
    answer = "echo \\"ModuleNotFoundError: No module named 'peft'\\" >&2; exit 1"
    python.write_text("#!/bin/sh\\n" + (answer if mode == "broken" else f"echo '{{ok}}'") + "\\n")
    python.chmod(0o755)
else:
    print("Resolved 3 packages in 10ms", flush=True)
    if mode == "fail":
        print("error: Request failed\\n  cause: dns error", file=sys.stderr)
        sys.exit(1)
    if mode == "extra" and not os.environ.get("UV_INDEX"):
        sys.exit("error: No solution found: peft was not found in the package registry")
    if mode == "hang":
        child = subprocess.Popen(["sleep", "600"])
        (here / "pids.new").write_text(f"{{os.getpid()}} {{child.pid}}")
        (here / "pids.new").rename(here / "pids")
        time.sleep(600)
    print("Prepared 3 packages in 10ms", flush=True)
"""

SCRIPT = """
import sys
from pathlib import Path
from ftui.plan.hardware import Hardware
from ftui.runtimes import Kind
from ftui.runtimes.install import install
install(Kind.TRAIN, Hardware(2, 8), lambda _: None, uv_path=Path(sys.argv[1]))
"""


@pytest.fixture
def uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The stand-in, with a home of its own and no runtime named."""
    monkeypatch.setenv("FTUI_HOME", str(tmp_path / "home"))
    for kind in Kind:
        monkeypatch.delenv(kind.variable, raising=False)
    monkeypatch.delenv("FAKE", raising=False)
    path = tmp_path / "uv"
    path.write_text(FAKE_UV)
    path.chmod(0o755)
    return path


def _install(uv: Path, on_progress: Callable[[Progress], None] = lambda _: None) -> None:
    install.install(Kind.TRAIN, CPU, on_progress, uv_path=uv)


def _calls(uv: Path) -> list[str]:
    return (uv.parent / "calls").read_text().splitlines()


def _until(ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < deadline, "it did not happen within 60 s"
        time.sleep(0.02)


def _pids(uv: Path) -> tuple[int, ...]:
    _until((uv.parent / "pids").exists)
    return tuple(map(int, (uv.parent / "pids").read_text().split()))


def _gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _leftovers() -> set[str]:
    names = {path.name for path in environment(Kind.TRAIN).parent.iterdir()}
    return names - {".train.lock", "train-setup.log"}


def test_a_set_up_makes_a_runtime_that_is_found(uv: Path) -> None:
    told: list[Progress] = []
    _install(uv, told.append)
    found = find(Kind.TRAIN)
    assert found is not None
    assert found.python == environment(Kind.TRAIN) / "bin" / "python"
    assert _leftovers() == {"train"}
    phases = [progress.phase for progress in told]
    assert phases == ["python", "create", "resolve", "download", "install", "check", "done"]
    assert "axolotl 0.19.0" in told[-1].words


@pytest.mark.parametrize(("mode", "installs"), [("", 1), ("extra", 2)])
def test_extra_indexes_are_asked_only_for_what_the_main_one_lacks(
    uv: Path, monkeypatch: pytest.MonkeyPatch, mode: str, installs: int
) -> None:
    """uv would take a whole version from an extra index, though it has no file for this Python."""
    monkeypatch.setenv("FAKE", mode)
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://extra.example/simple")
    monkeypatch.delenv("UV_INDEX", raising=False)
    _install(uv)
    assert sum('"install"' in call for call in _calls(uv)) == installs


def test_what_is_there_is_reused(uv: Path) -> None:
    _install(uv)
    before = _calls(uv)
    told: list[Progress] = []
    _install(uv, told.append)
    assert _calls(uv) == before
    assert [progress.phase for progress in told] == ["done"]
    assert "already there" in told[0].words


def test_an_environment_of_other_pins_is_made_again(uv: Path) -> None:
    _install(uv)
    marker = environment(Kind.TRAIN) / MARKER
    marker.write_text(marker.read_text().replace("axolotl==0", "axolotl==0.0"))
    (environment(Kind.TRAIN) / "old").touch()
    _install(uv)
    assert not (environment(Kind.TRAIN) / "old").exists()
    assert find(Kind.TRAIN)


def test_a_half_made_environment_is_made_again(uv: Path) -> None:
    (environment(Kind.TRAIN) / "lib").mkdir(parents=True)
    _install(uv)
    assert find(Kind.TRAIN)
    assert not (environment(Kind.TRAIN) / "lib").exists()


def test_a_failure_names_its_reason_and_the_log(uv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE", "fail")
    with pytest.raises(RuntimeMissing) as caught:
        _install(uv)
    assert "Request failed: dns error" in caught.value.why
    assert str(log_file(Kind.TRAIN)) in caught.value.why
    assert "dns error" in log_file(Kind.TRAIN).read_text()
    assert _leftovers() == set()


def test_an_environment_that_does_not_import_does_not_count(
    uv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE", "broken")
    with pytest.raises(RuntimeMissing, match="No module named 'peft'"):
        _install(uv)
    assert find(Kind.TRAIN) is None
    assert _leftovers() == set()


def test_a_failed_renewal_leaves_the_old_environment(
    uv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _install(uv)
    marker = environment(Kind.TRAIN) / MARKER
    marker.write_text(marker.read_text().replace("axolotl==0", "axolotl==0.0"))
    monkeypatch.setenv("FAKE", "fail")
    with pytest.raises(RuntimeMissing):
        _install(uv)
    assert find(Kind.TRAIN)


def test_cancelling_ends_uv_and_its_children(uv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE", "hang")
    cancel = threading.Event()

    def cancel_when_busy() -> None:
        _pids(uv)
        cancel.set()

    helper = threading.Thread(target=cancel_when_busy)
    helper.start()
    with pytest.raises(Interrupted):
        install.install(Kind.TRAIN, CPU, lambda _: None, cancel=cancel, uv_path=uv)
    helper.join()
    assert all(map(_gone, _pids(uv)))
    assert _leftovers() == set()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_leave_nothing_behind(
    uv: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setenv("FAKE", "hang")
    with _setup_process(uv) as process:
        pids = _pids(uv)
        process.send_signal(number)
        assert process.wait(20) != 0
    assert all(map(_gone, pids))
    assert _leftovers() == set()


def test_after_a_kill_the_next_set_up_waits_for_the_orphan_and_starts_afresh(
    uv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE", "hang")
    with _setup_process(uv) as process:
        pids = _pids(uv)
        process.kill()
    assert find(Kind.TRAIN) is None
    told: list[Progress] = []

    def end_the_orphan(progress: Progress) -> None:
        told.append(progress)
        if progress.phase == "wait":
            for pid in pids:
                os.kill(pid, signal.SIGKILL)

    monkeypatch.delenv("FAKE")
    _install(uv, end_the_orphan)
    assert told[0].phase == "wait"
    assert find(Kind.TRAIN)
    assert _leftovers() == {"train"}


def test_two_set_ups_at_once_make_one_environment(uv: Path) -> None:
    threads = [threading.Thread(target=_install, args=(uv,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert find(Kind.TRAIN)
    assert sum('"venv"' in call for call in _calls(uv)) == 1


def test_too_little_disk_is_told_before_anything_is_fetched(
    uv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = SimpleNamespace(total=10 * 2**30, used=9 * 2**30, free=2**30)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    with pytest.raises(RuntimeMissing, match="not enough disk") as caught:
        _install(uv)
    assert "1.0 GiB are free" in caught.value.why
    assert not any('"pip"' in call for call in _calls(uv))


def test_a_gpu_machine_asks_uv_for_the_matching_torch_and_refuses_one_that_sees_no_gpu(
    uv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UV_TORCH_BACKEND", raising=False)
    hardware = Hardware(8, 64, (Gpu("NVIDIA A10", 24, "sm_86"),))
    with pytest.raises(RuntimeMissing, match="sees no GPU"):
        install.install(Kind.TRAIN, hardware, lambda _: None, uv_path=uv)
    assert '"--torch-backend", "auto"' in _calls(uv)[-1]
    assert _leftovers() == set()


def test_a_cpu_machine_takes_torch_from_find_links_or_from_the_cpu_backend(
    uv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UV_TORCH_BACKEND", raising=False)
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    _install(uv)
    assert '"--torch-backend", "cpu"' in _calls(uv)[-1]
    (environment(Kind.TRAIN) / MARKER).unlink()
    tag = f"cp{VERSION.replace('.', '')}"
    (wheels / f"torch-2.13.0+cpu-{tag}-{tag}-linux_{os.uname().machine}.whl").touch()
    _install(uv)
    assert "--torch-backend" not in _calls(uv)[-1]
    assert "torch==2.13.0+cpu" in _calls(uv)[-1]


def test_an_existing_environment_is_tried_then_remembered(uv: Path, tmp_path: Path) -> None:
    _install(uv)
    other = tmp_path / "other" / "python"
    other.parent.mkdir()
    other.write_bytes((environment(Kind.TRAIN) / "bin" / "python").read_bytes())
    other.chmod(0o755)
    install.install(Kind.TRAIN, CPU, lambda _: None, other)
    found = find(Kind.TRAIN)
    assert found is not None
    assert found.python == other
    _install(uv)
    found = find(Kind.TRAIN)
    assert found is not None
    assert found.python != other


def test_an_existing_environment_without_axolotl_is_refused(uv: Path) -> None:
    with pytest.raises(RuntimeMissing, match="No module named 'axolotl'") as caught:
        install.install(Kind.TRAIN, CPU, lambda _: None, Path(sys.executable))
    assert "axolotl" in caught.value.hint
    assert find(Kind.TRAIN) is None


def test_a_home_that_cannot_be_written_is_told(uv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FTUI_HOME", "/dev/null/home")
    with pytest.raises(RuntimeMissing, match="could not be made"):
        _install(uv)


def _setup_process(uv: Path) -> subprocess.Popen[bytes]:
    """A set-up in a process of its own, with the signals of a shell's foreground (not nohup's)."""
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(uv)],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=lambda: [
            signal.signal(number, signal.SIG_DFL) for number in (signal.SIGINT, signal.SIGHUP)
        ],
    )
