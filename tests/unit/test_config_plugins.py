"""Plugins by their names: axolotl's own are known, and others may add keys of their own."""

from __future__ import annotations

import pytest

from ftui.config.lint import check

GOOD = (
    "base_model: m\nlearning_rate: 0.0002\nsequence_len: 512\nbf16: true\n"
    "datasets: [{path: a/b, type: alpaca}]\n"
)
LIGER = "axolotl.integrations.liger.LigerPlugin"


def told(text: str, axolotl: str = "0.21.0") -> list[tuple[str, str]]:
    return [(issue.path, issue.severity) for issue in check(GOOD + text, axolotl=axolotl)]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("axolotl.integrations.liger.LigerPlugn", LIGER),
        ("axolotl.integrations.ligre.LigerPlugin", LIGER),
        ("axolotl.liger.LigerPlugin", LIGER),
        (
            "axolotl.integrations.cut_cross_entropy.CutCrossEntropyPlugn",
            "axolotl.integrations.cut_cross_entropy.CutCrossEntropyPlugin",
        ),
    ],
)
def test_a_misspelt_plugin_of_axolotls_is_told_with_the_nearest(name: str, meant: str) -> None:
    [issue] = check(GOOD + f"plugins: [{name}]\n")
    assert (issue.severity, issue.path) == ("error", "plugins.0")
    assert issue.hint == f"did you mean {meant}?"


@pytest.mark.parametrize(
    "name", [LIGER, "axolotl.integrations.liger.plugin.LigerPlugin", "liger.LigerPlugin"]
)
def test_a_plugin_adds_its_keys_by_any_of_its_names(name: str) -> None:
    assert told(f"plugins: [{name}]\nliger_rope: true\n") == []


def test_a_plugin_of_a_newer_axolotl_is_missing_in_an_older() -> None:
    text = "plugins: [axolotl.integrations.mixlora.MixLoraPlugin]\n"
    assert (told(text), told(text, "0.19.0")) == ([], [("plugins.0", "error")])


def test_a_plugin_of_somebody_else_may_add_any_key() -> None:
    text = "my_key: 3\nplugins: [my_mod.MyPlugin]\n"
    [issue] = check(GOOD + text)
    assert (issue.severity, issue.path) == ("warning", "my_key")
    assert "unless my_mod.MyPlugin adds it" in issue.message
    text = "trl: {my_key: 3}\nrl: grpo\nplugins: [my_mod.MyPlugin]\n"
    assert ("trl.my_key", "error") in told(text)


@pytest.mark.parametrize("name", [LIGER, "ftui_events.FtuiEvents"])
def test_a_plugin_that_is_known_adds_no_others(name: str) -> None:
    assert told(f"my_key: 3\nplugins: [{name}]\n") == [("my_key", "error")]
