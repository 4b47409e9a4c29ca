"""Runs inside the train runtime: axolotl's own validation, one request a line, kept warm.

In:  {"id": 1, "config": "base_model: ...", "capabilities": {...}, "ignore": ["a.Plugin"]}
Out: {"ready": "0.19.0"} once, then {"id": 1, "issues": [{"severity", "path", "message"}]}

Stands alone: no ftui import. Ends when stdin closes. `path` is a list of keys and indexes.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import re
import sys
from typing import Any

# What a launcher or a trainer sets for its own process must not decide what a config is worth.
FOREIGN = ("ACCELERATE_", "AXOLOTL_", "FSDP_", "LIGER_", "LOCAL_RANK", "RANK", "WORLD_SIZE")
KEPT = ("AXOLOTL_DO_NOT_TRACK",)
for variable in [name for name in os.environ if name.startswith(FOREIGN) and name not in KEPT]:
    del os.environ[variable]

# Whatever axolotl and its libraries print must not end up between our lines.
PROTOCOL = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)

import torch  # noqa: E402
import yaml  # noqa: E402
from axolotl import __version__  # noqa: E402
from axolotl.integrations.base import PluginManager  # noqa: E402
from axolotl.integrations.config import merge_input_args  # noqa: E402
from axolotl.utils.config import prepare_plugins, validate_config  # noqa: E402
from axolotl.utils.dict import DictDefault  # noqa: E402
from axolotl.utils.logging import MultiProcessAdapter  # noqa: E402
from axolotl.utils.schemas import datasets as dataset_schemas  # noqa: E402
from pydantic import ValidationError  # noqa: E402

Issue = dict[str, Any]
Place = list[Any]

# What a config of an odd shape (a string where a list of mappings belongs) or a plugin can end in.
COMPLAINTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
# What axolotl says in so many words; deprecated keys raise the warning itself.
SPOKEN = (ValueError, DeprecationWarning, NotImplementedError, ImportError)
WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*")
PLUGIN_FAILED = "Failed to load plugin: "


class Records(logging.Handler):
    """Keeps what axolotl logs as a warning or worse."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.seen: list[tuple[int, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record, once."""
        entry = (record.levelno, record.getMessage())
        if entry not in self.seen:
            self.seen.append(entry)


RECORDS = Records()
logging.getLogger("axolotl").addHandler(RECORDS)


def validate(text: str, capabilities: dict[str, Any], ignore: list[str]) -> list[Issue]:
    """Every issue axolotl has with a config, errors first."""
    raw = yaml.safe_load(text)
    given = dict(raw)
    if isinstance(raw.get("plugins"), list):
        given["plugins"] = [name for name in raw["plugins"] if name not in ignore]
    if not given.get("plugins"):
        given.pop("plugins", None)
    forget()
    environment = dict(os.environ)
    config = DictDefault(given)
    try:
        issues = from_plugins(config, raw)
        if not issues:
            validate_config(
                config,
                capabilities=capabilities,
                env_capabilities={"torch_version": torch.__version__.split("+")[0]},
            )
    except ValidationError as error:
        issues = from_validation(error, raw)
    except SPOKEN as error:
        issues = [issue("error", guess(str(error), raw), str(error) or type(error).__name__)]
    except COMPLAINTS as error:
        words = f"axolotl cannot read this config, some value has the wrong shape: {error}"
        issues = [issue("error", guess(str(error), raw), words)]
    finally:
        os.environ.clear()
        os.environ.update(environment)
    return issues + from_log(raw)


def from_plugins(config: DictDefault, raw: dict[str, Any]) -> list[Issue]:
    """Load the plugins that are listed; what hinders that is one issue."""
    try:
        prepare_plugins(config)
    except COMPLAINTS as error:
        listed = raw.get("plugins")
        names = listed if isinstance(listed, list) else []
        loaded = PluginManager.get_instance().plugins
        failed = next((index for index, name in enumerate(names) if name not in loaded), None)
        path: Place = ["plugins"] if failed is None else ["plugins", failed]
        name = listed if failed is None else names[failed]
        return [issue("error", path, f"axolotl cannot import the plugin {name}: {error}")]
    return []


def forget() -> None:
    """Drop what the config before this one left in axolotl: plugins, warnings given once."""
    PluginManager.get_instance().plugins.clear()
    MultiProcessAdapter.warning_once.cache_clear()
    RECORDS.seen.clear()


def from_validation(error: ValidationError, raw: dict[str, Any]) -> list[Issue]:
    """pydantic's errors, with their places turned back into places of the config."""
    start = dataset_place(error, raw)
    messages: dict[tuple[Any, ...], list[str]] = {}
    for one in error.errors():
        message = one["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
        path = place([*start, *one["loc"]], raw) or guess(message, raw)
        told = messages.setdefault(tuple(path), [])
        if message not in told:
            told.append(message)
    # Several at one place are the alternatives of one key: a number, or one of these words.
    return [issue("error", [*path], "; or: ".join(told)) for path, told in messages.items()]


def dataset_place(error: ValidationError, raw: dict[str, Any]) -> Place:
    """axolotl checks each dataset on its own first, so such an error knows no index: find it."""
    schema = getattr(dataset_schemas, error.title, None)
    datasets = raw.get("datasets")
    if schema is None or not isinstance(datasets, list):
        return []
    for index, dataset in enumerate(datasets):
        try:
            schema(**dataset)
        except ValidationError:
            return ["datasets", index]
        except COMPLAINTS:
            continue
    return ["datasets"]


def place(steps: Place, raw: Any) -> Place:
    """Where an error sits, without the type names that pydantic adds for each way it tried."""
    path: Place = []
    here = raw
    for number, step in enumerate(steps):
        inside = (isinstance(here, dict) and step in here) or (
            isinstance(here, list) and isinstance(step, int) and step < len(here)
        )
        if inside:
            here = here[step]
            path.append(step)
        elif number == len(steps) - 1 and isinstance(here, dict) and str(step).islower():
            path.append(step)  # a key that is missing
    return path


def guess(message: str, raw: dict[str, Any]) -> Place:
    """The key a message talks about: one of the config, or whose value it names, or any real.

    A place such as `trl.num_generations` beats a name such as `load_in_4bit`, and that beats
    what may be plain English: tokens, adapter, seed.
    """
    words = [word.removeprefix("cfg.") for word in WORD.findall(message)]
    names = [word for word in words if "." not in word]
    dotted = [found for word in words if "." in word and (found := inside(word.split("."), raw))]
    if dotted:
        return max(dotted, key=len)
    for word in sorted(names, key=lambda word: "_" not in word):
        if word in raw or word.lower() in raw:
            return [word if word in raw else word.lower()]
    for key, value in raw.items():
        if isinstance(value, str) and value in names:
            return [key]
    parts_of_name = re.split(r"[^a-z0-9]+", str(raw.get("base_model")).lower())
    if any(word.lower() in parts_of_name for word in names):
        return ["base_model"]
    fields = model().model_fields
    return next(([word] for word in names if word in fields), [])


def model() -> Any:
    """The model of a config with the keys of the plugins that are loaded."""
    return model_with(tuple(PluginManager.get_instance().get_input_args()))


@functools.cache
def model_with(arguments: tuple[str, ...]) -> Any:
    """The same, made once for each set of plugins: it takes axolotl a third of a second."""
    del arguments
    return merge_input_args()[1]


def inside(steps: list[str], raw: Any) -> Place:
    """As much of a dotted place as the config has."""
    path: Place = []
    for step in steps:
        if not isinstance(raw, dict) or step not in raw:
            break
        raw = raw[step]
        path.append(step)
    return path


def from_log(raw: dict[str, Any]) -> list[Issue]:
    """What axolotl only logs. A plugin that cannot be loaded is one of these."""
    issues = []
    for level, message in RECORDS.seen:
        plugin = message.removeprefix(PLUGIN_FAILED)
        listed = raw.get("plugins")
        if plugin != message and isinstance(listed, list) and plugin in listed:
            path: Place = ["plugins", listed.index(plugin)]
            issues.append(issue("error", path, f"axolotl cannot import the plugin {plugin}"))
            continue
        fatal = level >= logging.ERROR or "raining will fail" in message
        issues.append(issue("error" if fatal else "warning", guess(message, raw), message))
    return issues


def issue(severity: str, path: Place, message: str) -> Issue:
    """One issue as it travels."""
    return {"severity": severity, "path": path, "message": " ".join(message.split())}


def say(answer: dict[str, Any]) -> None:
    """Send one line."""
    PROTOCOL.write(json.dumps(answer) + "\n")
    PROTOCOL.flush()


def main() -> None:
    """Answer until nobody asks any more."""
    say({"ready": __version__})
    for line in sys.stdin:
        request = json.loads(line)
        issues = validate(request["config"], request["capabilities"], request["ignore"])
        say({"id": request["id"], "issues": issues})


if __name__ == "__main__":
    main()
