"""Files that a config names and that are not there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from ftui import demo, paths
from ftui.config.rules.rule import Finding, Rule, Subject, error, warning
from ftui.errors import UsageError

_DATA_ENDINGS = (".jsonl", ".json", ".csv", ".parquet", ".arrow", ".txt", ".tsv")
_REMOTE = (
    "http://",
    "https://",
    "s3://",
    "gs://",
    "gcs://",
    "adl://",
    "abfs://",
    "az://",
    "oci://",
)
_LOCAL = ("./", "../", "/", "~")


def _found(subject: Subject, text: str) -> Path | None:
    assert subject.folder is not None
    return paths.existing(text, subject.folder)


def _references(subject: Subject) -> Iterator[tuple[str, str]]:
    """Every place that names a file or folder, with what it says."""
    places = ["base_model", "base_model_config", "tokenizer_config", "deepspeed", "lora_model_dir"]
    places += ["resume_from_checkpoint"]
    for key in ("datasets", "test_datasets"):
        places += [f"{at}.path" for at, _ in subject.entries(key)]
    for place in places:
        if subject.text(place):
            yield place, subject.text(place)


def _is_local(place: str, text: str) -> bool:
    """Whether a text can only be meant as a path on this machine, not as an id of a hub."""
    if text.startswith(_REMOTE):
        return False
    return text.startswith(_LOCAL) or (place.endswith(".path") and text.endswith(_DATA_ENDINGS))


def _built_in(subject: Subject) -> Iterator[Finding]:
    """What ftui brings along; it is unpacked when the run is made."""
    if subject.folder is None:
        return
    for place, text in _references(subject):
        if text.startswith(demo.PREFIX):
            try:
                demo.shipped(text)
            except UsageError as problem:
                yield error(place, problem.what, problem.hint)


def _missing(subject: Subject) -> Iterator[Finding]:
    if subject.folder is None:
        return
    for place, text in _references(subject):
        if place == "deepspeed" or text.startswith(demo.PREFIX):
            continue
        if paths.is_on_volume(text):
            message = f"{text} lies on a volume: nobody can look at it from here"
            yield warning(place, message, f"dstack mounts one at {paths.VOLUME}: volume=NAME")
        elif _is_local(place, text) and _found(subject, text) is None:
            hint = "check the path; axolotl begins it at the folder where it is started"
            yield error(place, f"there is no {text}", hint)


def _data_files(subject: Subject) -> Iterator[Finding]:
    """`data_files` belongs to a folder or to a dataset of the hub; a hub is not asked."""
    if subject.folder is None:
        return
    for at, entry in subject.entries("datasets"):
        files, owner = entry.get("data_files"), entry.get("path")
        listed = files if isinstance(files, list) else [files]
        local = isinstance(owner, str) and (found := _found(subject, owner)) and found.is_dir()
        for index, file in enumerate(listed if local else ()):
            plain = isinstance(file, str) and "*" not in file and not file.startswith(_REMOTE)
            if plain and _found(subject, file) is None:
                place = f"{at}.data_files" + (f".{index}" if isinstance(files, list) else "")
                yield error(place, f"there is no {file}", "check the path")


def _deepspeed(subject: Subject) -> Iterator[Finding]:
    text = subject.text("deepspeed")
    if isinstance(subject.get("deepspeed"), dict):
        yield from _settings("deepspeed", subject.get("deepspeed"), "this")
    if subject.folder is None or not text or text.startswith(demo.PREFIX):
        return
    if text.lstrip().startswith("{"):
        yield from _json("deepspeed", text, "this")
        return
    found = _found(subject, text)
    if found is None:
        hint = (
            "`axolotl fetch deepspeed_configs` gets axolotl's; ftui has "
            "builtin:deepspeed/zero2.json and zero3.json in its presets"
        )
        yield error("deepspeed", f"there is no {text}", hint)
    elif not found.is_file():
        yield error("deepspeed", f"{text} is no file", "it must be a JSON file")
    else:
        yield from _json("deepspeed", _read(found), text)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _json(place: str, text: str, name: str) -> Iterator[Finding]:
    try:
        settings = json.loads(text)
    except (ValueError, RecursionError) as problem:
        line = getattr(problem, "lineno", 1)
        yield error(place, f"{name} is not JSON: line {line} cannot be read")
        return
    yield from _settings(place, settings, name)


def _settings(place: str, settings: object, name: str) -> Iterator[Finding]:
    if not isinstance(settings, dict):
        yield error(place, f"{name} holds no settings: DeepSpeed's are a JSON object")
    elif "zero_optimization" not in settings:
        message = f"{name} has no zero_optimization: DeepSpeed then splits nothing"
        yield warning(place, message)


def _templates(subject: Subject) -> Iterator[Finding]:
    """`chat_template_jinja` is a template, or the path to one."""
    if subject.folder is None:
        return
    for at in ("", *(f"{place}." for place, _ in subject.entries("datasets"))):
        text = subject.text(f"{at}chat_template_jinja").strip()
        one_line = text and "\n" not in text and "{" not in text
        if one_line and _found(subject, text) is None:
            message = f"there is no file {text}: axolotl would take this text itself for a template"
            yield error(f"{at}chat_template_jinja", message, "check the path")


RULES: tuple[Rule, ...] = (_built_in, _missing, _data_files, _deepspeed, _templates)
"""What this module has to say."""
