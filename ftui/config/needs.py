"""What a config must hold, so that ftui can follow the run and find its result."""

from __future__ import annotations

from pathlib import PurePath

from ftui.config.build import EVENTS_PLUGIN, OUTPUT
from ftui.config.issue import Issue
from ftui.plan.yaml_source import YamlProblem, mapping


def needs(text: str) -> list[Issue]:
    """What ftui itself has against a config. Text that is no config is the linter's to report."""
    try:
        source = mapping(text)
    except YamlProblem:
        return []
    issues = []
    output = source.data.get("output_dir")
    if not isinstance(output, str) or PurePath(output) != PurePath(OUTPUT):
        issues.append(
            Issue(
                "error",
                "output_dir",
                source.line(("output_dir",)),
                "ftui looks for the result in the run's own folder",
                f"output_dir: {OUTPUT}",
            )
        )
    plugins = source.data.get("plugins")
    if not isinstance(plugins, list) or EVENTS_PLUGIN not in plugins:
        issues.append(
            Issue(
                "error",
                "plugins",
                source.line(("plugins",)),
                "without ftui's plugin nobody can tell how the run stands",
                f"plugins: [{EVENTS_PLUGIN}]",
            )
        )
    return issues
