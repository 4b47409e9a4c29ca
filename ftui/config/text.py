"""The config's text of a plan: a preset's is laid out by ftui, a person's own keeps its looks."""

from __future__ import annotations

from ftui import paths
from ftui.config.build import build
from ftui.config.edit import rewrite
from ftui.config.render import render
from ftui.errors import ConfigError
from ftui.plan.plan import Plan
from ftui.plan.yaml_source import YamlProblem, read


def config_text(plan: Plan) -> str:
    """What will run. Raises UsageError when a `builtin:` reference names nothing."""
    config = build(plan)
    return rewrite(plan.preset.text, config) if plan.preset.text else render(config)


def own_text(plan: Plan, shown: str) -> str:
    """The config to write back into the person's file: `shown` without what the run added.

    `shown` is the text of the review, perhaps edited by hand. A key that it has as `config_text`
    made it gets the plan's own value back; a key that was edited stays as edited.
    """
    built, settings = build(plan), dict(plan.settings)
    edited = read(shown).data
    for key in {*built, *edited}:
        if edited.get(key) == built.get(key):
            continue
        settings.pop(key, None)
        if key in edited:
            settings[key] = edited[key]
    return rewrite(shown, settings)


def save(plan: Plan, shown: str, known: str) -> str:
    """Write the config back into the file that it was opened from; the text that is there now.

    `known` is what the file held when it was opened or last saved. Raises ConfigError when it
    holds something else, when `shown` is no YAML, or when the file cannot be written; it is then
    as it was.
    """
    path = plan.preset.path
    if paths.read_config(path) != known:
        raise ConfigError(
            "not saved: the file was changed since it was opened",
            where=str(path),
            hint="open it again with `ftui --config`, or save your changes by hand",
        )
    try:
        text = own_text(plan, shown)
        paths.write_atomic(path.resolve(), text, mode=path.stat().st_mode & 0o777)
    except YamlProblem as error:
        raise ConfigError("not saved: this is not YAML", why=error.message) from error
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise ConfigError(
            "not saved: the file cannot be written", where=str(path), why=why
        ) from error
    return text
