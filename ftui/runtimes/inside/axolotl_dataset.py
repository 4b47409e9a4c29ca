"""Runs inside the train runtime: what axolotl makes of the data of a config, kept warm.

In:  {"id", "config": YAML text, "folder": where relative paths begin, "show": rows to show of
     every dataset, "world": processes that train, "capabilities", "ignore": plugins}
Out: {"ready": "0.19.0"} once, then {"id", "progress": {"phase", "done", "total"}} now and then
     and one answer, which ftui/data/tokens.py reads.

Nothing of templates, masks, filters and step counts is written anew: axolotl's own functions run
(tokens_sft.py, tokens_rl.py), and what they do with each row is noted (tokens_ledger.py).
Stands alone: no ftui import. Ends when stdin closes. Leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import json
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import axolotl_validator as validator  # type: ignore[import-not-found]

# The validator takes over stdout before anything else is imported.
# isort: split
import axolotl.common.datasets as common
import axolotl.utils.data.rl as rl_data
import axolotl.utils.data.sft as sft_data
import datasets  # type: ignore[import-not-found]
import datasets.fingerprint  # type: ignore[import-not-found]
import torch
import yaml
from axolotl.integrations.base import PluginManager
from axolotl.loaders import load_tokenizer
from axolotl.utils.config import (
    normalize_cfg_datasets,
    normalize_config,
    prepare_plugins,
    validate_config,
)
from axolotl.utils.dict import DictDefault
from axolotl.utils.distributed import init_distributed_state
from axolotl.utils.trainer import disable_datasets_caching
from tokens_answer import answer  # type: ignore[import-not-found]
from tokens_ledger import NUMBER, Ledger, Unusable  # type: ignore[import-not-found]
from tokens_progress import Progress, Tell  # type: ignore[import-not-found]
from tokens_receipt import SEED  # type: ignore[import-not-found]
from tokens_rl import COUNTABLE, Preferences  # type: ignore[import-not-found]
from tokens_sft import Around, Rows  # type: ignore[import-not-found]
from tokens_words import Warnings, root, words  # type: ignore[import-not-found]

Request = dict[str, Any]
Answer = dict[str, Any]
WARNINGS = Warnings()


def look(request: Request, tell: Tell) -> Answer:
    """The answer to a request; what hinders it is an answer too."""
    with separate() as scratch:
        ledger = Ledger()
        try:
            return counted(request, ledger, Progress(tell), scratch)
        except Exception as error:  # noqa: BLE001 - templates, plugins and files raise anything
            return {"failed": failure(error, ledger)}


def failure(error: Exception, ledger: Ledger) -> Answer:
    """Why there is nothing to count."""
    stage = error.stage if isinstance(error, Unusable) else ledger.stage
    return {
        "stage": stage,
        "message": words(error),
        "type": type(root(error)).__name__,
        "path": ledger.path,
        "log": list(WARNINGS.texts),
    }


@contextlib.contextmanager
def separate() -> Iterator[Path]:
    """A scratch folder for one request, and no trace of the request before it."""
    validator.forget()
    WARNINGS.texts.clear()
    environment, here = dict(os.environ), Path.cwd()
    with tempfile.TemporaryDirectory() as scratch, disable_datasets_caching():
        os.environ["TMPDIR"] = scratch
        datasets.config.HF_DATASETS_CACHE = Path(scratch) / "cache"
        try:
            yield Path(scratch)
        finally:
            os.chdir(here)
            os.environ.clear()
            os.environ.update(environment)
            datasets.fingerprint._TEMP_DIR_FOR_TEMP_CACHE_FILES = None


def counted(request: Request, ledger: Ledger, progress: Progress, scratch: Path) -> Answer:
    """Everything there is to tell about the data of a config."""
    progress.phase("tokenizer")
    ledger.at("config", request["folder"])
    os.chdir(request["folder"])
    config = prepared(request, ledger, scratch)
    WARNINGS.texts.clear()  # what axolotl thinks of the config is told by the check of configs
    tokenizer = load_tokenizer(config)
    ends = end_tokens(config, tokenizer)
    ledger.at("dataset")
    noted: Any = Preferences if config.rl else Rows
    noted = noted(config, tokenizer, ends, ledger, progress)
    torch.manual_seed(SEED)
    with progress.instead_of_bars():
        with standing_around([*noted.around(), *nothing_kept(tokenizer)]):
            meta = loaded(config)
        made = answer(request, config, tokenizer, ends, meta, noted)
    return {**made, "log": list(WARNINGS.texts)}


def prepared(request: Request, ledger: Ledger, scratch: Path) -> Any:
    """The config as axolotl's `load_cfg` makes it, without the folders and logs it writes."""
    given = yaml.safe_load(request["config"])
    if not isinstance(given, dict):
        raise Unusable("config", "a config is a mapping: keys with values")
    if given.get("plugins"):
        given["plugins"] = [one for one in given["plugins"] if one not in request["ignore"]]
    config = DictDefault(given)
    prepare_plugins(config)
    config = validate_config(
        config,
        capabilities=request["capabilities"],
        env_capabilities={"torch_version": torch.__version__.split("+")[0]},
    )
    refuse(config)
    os.environ["WORLD_SIZE"] = str(request["world"])  # axolotl reads it where it counts steps
    ledger.at("tokenizer", str(config.tokenizer_config or config.base_model))
    normalize_config(config)
    normalize_cfg_datasets(config)
    PluginManager.get_instance().cfg = config
    config.output_dir = str(scratch / "out")
    config.dataset_prepared_path = str(scratch / "prepared")
    (scratch / "prepared").mkdir()
    ledger.tests = len(config.datasets or [])
    return counting(config)


def refuse(config: Any) -> None:
    """Raise Unusable for data that nobody can count before the training."""
    if config.streaming or config.pretraining_dataset:
        raise Unusable("streaming", "rows that are streamed are not there to be counted before")
    if config.rl and config.rl not in COUNTABLE:
        method = getattr(config.rl, "value", config.rl)
        raise Unusable("rl", f"with rl: {method} the model writes the answers while it trains")
    if config.skip_prepare_dataset:
        raise Unusable("streaming", "skip_prepare_dataset leaves the tokens to the training")


def counting(config: Any) -> Any:
    """Settings that change how the work is done, and not what comes out."""
    config.ftui_asked_efficiency = config.sample_packing_eff_est  # axolotl overwrites it
    config.ftui_raises = config.excess_length_strategy == "raise"
    if config.ftui_raises:
        config.excess_length_strategy = "drop"  # and tell which rows axolotl would stop at
    config.dataset_num_proc = None  # one process: a pool does not tell which row failed
    config.is_preprocess = True  # no caches
    config.push_dataset_to_hub = None
    for number, entry in enumerate([*(config.datasets or []), *(config.test_datasets or [])]):
        entry[NUMBER] = number
    return config


def end_tokens(config: Any, tokenizer: Any) -> list[int]:
    """The tokens that end an answer: the tokenizer's, and those that the config names."""
    named = [tokenizer.convert_tokens_to_ids(token) for token in config.eot_tokens or []]
    return [one for one in {tokenizer.eos_token_id, *named} if one is not None]


def nothing_kept(tokenizer: Any) -> list[Around]:
    """Stand where axolotl loads the tokenizer again, and where it keeps or finds prepared data."""
    modules = (common, rl_data)
    kept = [(module, "load_tokenizer", lambda _, __: tokenizer) for module in modules]
    for module in (sft_data, rl_data):
        for name in ("save_preprocessed_dataset", "load_preprocessed_dataset"):
            kept.append((module, name, lambda *_, **__: None))
    return kept


def loaded(config: Any) -> Any:
    """The data that axolotl hands to the trainer."""
    plugins = PluginManager.get_instance()
    if config.plugins and plugins.load_datasets(config, preprocess=False) is not None:
        raise Unusable("dataset", "a plugin loads the data in its own way")
    if config.rl:
        return common.load_preference_datasets(cfg=config)
    return common.load_datasets(cfg=config)


@contextlib.contextmanager
def standing_around(functions: list[Around]) -> Iterator[None]:
    """Put functions around functions of axolotl's, which they get as their first argument."""
    real = [getattr(module, name) for module, name, _ in functions]
    for (module, name, around), own in zip(functions, real, strict=True):
        setattr(module, name, functools.partial(around, own))
    try:
        yield
    finally:
        for (module, name, _), own in zip(functions, real, strict=True):
            setattr(module, name, own)


def set_up() -> None:
    """What has to be so before the first request."""
    os.environ |= {"CUDA_VISIBLE_DEVICES": "", "TOKENIZERS_PARALLELISM": "true"}
    init_distributed_state()  # now, while nothing says that there are more processes
    for module in (datasets.fingerprint, datasets.arrow_dataset):
        module.update_fingerprint = no_fingerprint
    datasets.arrow_dataset.generate_fingerprint = no_fingerprint
    for name in ("axolotl", "trl"):
        logging.getLogger(name).addHandler(WARNINGS)


def main() -> None:
    """Answer until nobody asks any more."""
    set_up()
    gc.freeze()  # axolotl collects garbage with every packing: not in all that was imported
    validator.say({"ready": validator.__version__})
    try:
        for line in sys.stdin:
            request = json.loads(line)
            tell = functools.partial(say_progress, request["id"])
            validator.say({"id": request["id"], **look(request, tell)})
    finally:
        gc.unfreeze()  # else a library complains on its way out


def no_fingerprint(*_: Any, **__: Any) -> str:
    """A name for a cache that nobody keeps: to make the real one takes 5 s with some tokenizers."""
    return str(datasets.fingerprint.generate_random_fingerprint())


def say_progress(number: int, progress: dict[str, Any]) -> None:
    """Send a line of progress with a request."""
    validator.say({"id": number, "progress": progress})


if __name__ == "__main__":
    main()
