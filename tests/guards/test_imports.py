"""What a command does not use, it does not import."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

PROBE = """
import json, runpy, sys
{action}
print(json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})), file=sys.stderr)
"""
HEAVY = {"torch", "axolotl", "vllm", "dstack", "modal", "transformers"}


def _imported(action: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(action=action)], capture_output=True, text=True
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize(
    ("action", "banned"),
    [
        ("import ftui.cli", {"textual", "rich", "yaml", "httpx2", "psutil", "questionary"}),
        ("import ftui.tui.app", {"httpx2", "psutil", "questionary"}),
        ("import ftui.plain.whole_way, ftui.plain.talk", {"textual", "questionary", "httpx2"}),
        (
            "import ftui.targets.vllm.client, ftui.serve.server",
            {"textual", "questionary", "httpx2"},
        ),
        ("import ftui.plan.steps, ftui.config.lint", {"textual", "psutil", "questionary"}),
    ],
)
def test_modules_stay_light(action: str, banned: set[str]) -> None:
    assert not _imported(action) & (banned | HEAVY)
