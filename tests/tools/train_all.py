"""Runs inside the train runtime: trains every config on the command line with the real axolotl.

What each training did is in CONFIG.json beside the config (see note_plugin.py), what it said in
CONFIG.log. Each has a process of its own, forked when axolotl is imported. Their model is `tiny`.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

from prepare_all import give_weights, without_waits  # type: ignore[import-not-found]

SEED = 0
"""axolotl counts packed steps in an order that nobody seeds; ftui's worker seeds it so."""


def train(config: Path) -> None:
    """Run `axolotl train` in this process."""
    import torch
    from axolotl.cli.train import do_cli

    log = os.open(config.with_suffix(".log"), os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ["NOTES"] = str(config.with_suffix(".json"))
    torch.manual_seed(SEED)
    do_cli(config=str(config))


def main() -> None:
    """Train one after the other."""
    without_waits()
    give_weights(Path("tiny"))
    configs = sys.argv[1:]
    sys.argv[1:] = []  # axolotl reads them
    for config in configs:
        child = os.fork()
        if child:
            os.waitpid(child, 0)
            continue
        try:
            train(Path(config))
        except BaseException:  # noqa: BLE001 - it is in the log; without notes the test fails
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(0)


if __name__ == "__main__":
    main()
