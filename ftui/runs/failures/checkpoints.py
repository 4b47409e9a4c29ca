"""Failures of going on from a checkpoint."""

from __future__ import annotations

from ftui.runs.failures import fixes
from ftui.runs.failures.cause import Cause
from ftui.runs.failures.signature import Signature

SIGNATURES = (
    Signature(
        name="incomplete-checkpoint",
        cause=Cause.CRASHED,
        pattern=(
            r"PytorchStreamReader failed reading (?:zip archive|file)|"
            r"^_pickle\.UnpicklingError: |^EOFError: Ran out of input"
        ),
        what="a file of the checkpoint is incomplete",
        why="the run was killed, or the disk was full, while it was being written",
        hint="delete the newest folder out/checkpoint-N, and resume: the one before it is taken",
        fixes=(fixes.from_the_beginning,),
    ),
    Signature(
        name="no-checkpoint",
        cause=Cause.CRASHED,
        pattern=(
            r"^(?:ValueError|FileNotFoundError|OSError): (?:Can't find a valid checkpoint at|"
            r".*No such file or directory: '[^']*checkpoint-\d+[^']*')"
        ),
        what="there is no checkpoint where resume_from_checkpoint points",
        why="it was deleted (save_total_limit keeps the newest ones), or never written",
        hint="see which there are: ls out; or begin anew",
        fixes=(fixes.from_the_beginning,),
    ),
    Signature(
        name="checkpoint-of-another-shape",
        cause=Cause.CRASHED,
        pattern=(
            r"size mismatch for (?P<name>\S+): copying a param|"
            r"^ValueError: loaded state dict (?:contains a parameter group|has a different number)"
        ),
        what="the checkpoint does not fit this config: it has weights of another shape",
        why="lora_r, the adapter's layers or the base model were changed since it was written",
        hint="set them as they were to resume, or begin a new run",
        fixes=(fixes.from_the_beginning,),
    ),
)
