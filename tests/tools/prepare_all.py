"""Runs inside the train runtime: what the real axolotl hands to the trainer, for many configs.

For every config on the command line it writes CONFIG.json beside it: {"rows": [{part: [ids,
labels]}]}, or {"error": …} where axolotl stops. For SFT that is what `axolotl preprocess` saves in
dataset_prepared_path; preference data becomes tokens when the trainer is made, so it is made.
One process: to import axolotl takes longer than all of the work.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

Row = dict[str, list[list[int]]]


def prepared(config: Path) -> list[Row]:
    """The rows of a config, through axolotl's own command."""
    from axolotl.cli.args import PreprocessCliArgs
    from axolotl.cli.config import load_cfg
    from axolotl.cli.preprocess import do_preprocess
    from datasets import load_from_disk  # type: ignore[import-not-found]

    cfg = load_cfg(str(config), is_preprocess=True)
    cfg.is_preprocess = True
    cfg.dataset_num_proc = None
    do_preprocess(cfg, PreprocessCliArgs(download=False, debug_num_examples=0))
    if cfg.rl:
        return [preference(row) for row in trainers(config)]
    folders = [one for one in Path(cfg.dataset_prepared_path).iterdir() if one.is_dir()]
    return [tokens(row) for folder in sorted(folders) for row in load_from_disk(str(folder))]


def trainers(config: Path) -> Any:
    """The rows of the trainer that `axolotl train` makes."""
    from axolotl.cli.config import load_cfg
    from axolotl.common.datasets import load_preference_datasets
    from axolotl.train import setup_model_and_trainer

    cfg = load_cfg(str(config))
    cfg.dataset_num_proc = None
    trainer = setup_model_and_trainer(cfg, load_preference_datasets(cfg=cfg))[0]
    return trainer.train_dataset


def tokens(row: dict[str, Any]) -> Row:
    """A row of SFT, or of a reward model, which learns no token."""
    if "input_ids" in row:
        return {"": [row["input_ids"], row["labels"]]}
    return {name: [row[f"{name}_ids"], unlearnt(row[f"{name}_ids"])] for name in PAIR}


def preference(row: dict[str, Any]) -> Row:
    """A row of preference data: the prompt is read, the answers are learnt."""
    if "chosen_input_ids" in row:
        masked = {name: [row[f"{name}_input_ids"], row[f"{name}_labels"]] for name in PAIR}
        begins = row["chosen_labels"].count(-100)
        prompt = [one[:begins] for one in masked["chosen"]]
        return {
            "prompt": prompt,
            **{name: [a[begins:], b[begins:]] for name, (a, b) in masked.items()},
        }
    answers = PAIR if "chosen_ids" in row else ("completion",)
    prompt = [row["prompt_ids"], unlearnt(row["prompt_ids"])]
    return {"prompt": prompt, **{name: [row[f"{name}_ids"]] * 2 for name in answers}}


def unlearnt(ids: list[int]) -> list[int]:
    """The labels of a text that is only read."""
    return [-100] * len(ids)


PAIR = ("chosen", "rejected")


def without_waits() -> None:
    """Spare what takes seconds a config and changes nothing.

    Datasets are saved by this process, the tokenizer is not pickled to name a cache, and garbage is
    not looked for in all that was imported.
    """
    import axolotl.train  # noqa: F401
    from datasets import Dataset, arrow_dataset, fingerprint

    save = Dataset.save_to_disk
    Dataset.save_to_disk = lambda self, path, **words: save(
        self, path, **words | {"num_proc": None}
    )
    for module in (arrow_dataset, fingerprint):
        module.update_fingerprint = lambda *_, **__: fingerprint.generate_random_fingerprint()
    gc.freeze()


def give_weights(folder: Path) -> None:
    """Make a model of a folder with a config alone."""
    from transformers import AutoConfig, AutoModelForCausalLM

    AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder)).save_pretrained(folder)


def main() -> None:
    """Prepare every config; their model is in `tiny`, without weights."""
    os.environ["AXOLOTL_IS_PREPROCESS"] = "1"  # as `axolotl preprocess` does
    without_waits()
    give_weights(Path("tiny"))
    for name in sys.argv[1:]:
        config = Path(name)
        try:
            told: dict[str, Any] = {"rows": prepared(config)}
        except Exception as error:  # noqa: BLE001 - what stops axolotl is the answer
            traceback.print_exc()
            told = {"error": f"{type(error).__name__}: {error}"}
        config.with_suffix(".json").write_text(json.dumps(told), encoding="utf-8")
    gc.unfreeze()


if __name__ == "__main__":
    main()
