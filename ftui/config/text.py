"""The config's text of a plan: a preset's is laid out by ftui, a person's own keeps its looks."""

from __future__ import annotations

from typing import Any

from ftui import paths
from ftui.config.build import build
from ftui.config.edit import same
from ftui.config.edit_text import rewrite
from ftui.config.line_edits import carried
from ftui.config.render import render
from ftui.errors import ConfigError
from ftui.plan.plan import Plan
from ftui.plan.yaml_source import YamlProblem, mapping


def config_text(plan: Plan) -> str:
    """What will run. Raises UsageError when a `builtin:` reference names nothing."""
    config = build(plan)
    return rewrite(plan.preset.text, config) if plan.preset.text else render(config)


def own_text(plan: Plan, shown: str) -> str:
    """The config to write back into the person's file: `shown` without what the run added.

    `shown` is the text of the review, perhaps edited by hand. A key that it has as `config_text`
    made it gets the plan's own value back; a key that was edited stays as edited.
    Raises YamlProblem when it is no config.
    """
    built, settings = build(plan), dict(plan.settings)
    edited = mapping(shown).data
    for key in {*built, *edited}:
        if same(edited.get(key, _MISSING), built.get(key, _MISSING)):
            continue
        settings.pop(key, None)
        if key in edited:
            settings[key] = edited[key]
    own = carried(config_text(plan), shown, rewrite(plan.preset.text, plan.settings))
    return own if own is not None and _reads_as(own, settings) else rewrite(shown, settings)


def _reads_as(text: str, settings: dict[str, Any]) -> bool:
    try:
        return same(mapping(text).data, settings)
    except YamlProblem:
        return False


_MISSING = object()


def save(plan: Plan, shown: str, known: str) -> str:
    """Write the config back into the file that it was opened from; the text that is there now.

    `known` is what the file held when it was opened or last saved. Raises ConfigError when it
    holds something else, when `shown` is no config, or when the file cannot be written.
    """
    try:
        text = own_text(plan, shown)
    except YamlProblem as problem:
        raise ConfigError(f"not written: {problem.message}") from problem
    paths.write_back(plan.preset.path, text, known=known)
    return text
