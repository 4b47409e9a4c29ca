"""Failures of the axolotl config: refused, or naming what the model does not have."""

from __future__ import annotations

from ftui.runs.failures import fixes
from ftui.runs.failures.cause import Cause
from ftui.runs.failures.signature import Signature

SIGNATURES = (
    Signature(
        name="refused-value",
        cause=Cause.CRASHED,
        pattern=(
            r"ValidationError: \d+ validation errors? for \w+\n(?P<key>\S.*)\n"
            r"\s+(?P<error>.*?)(?: \[type=.*)?$"
        ),
        what="axolotl refuses the config: {key}: {error}",
        why="the value is not of a kind that this key takes",
        hint="see all that is wrong with it, line by line: ftui check config.yml",
    ),
    Signature(
        name="refused-config",
        cause=Cause.CRASHED,
        pattern=(
            r"ValidationError: \d+ validation errors? for \w+\n"
            r"\s+(?:Value error, )?(?P<error>.*?)(?: \[type=.*)?$"
        ),
        what="axolotl refuses the config: {error}",
        why="some settings do not go together, or need one another",
        hint="see all that is wrong with it, line by line: ftui check config.yml",
    ),
    Signature(
        name="unknown-optimizer",
        cause=Cause.CRASHED,
        pattern=r"^ValueError: (?P<name>\S+) is not a valid OptimizerNames",
        what="there is no optimizer {name}",
        why="axolotl takes any word here, and the trainer refuses it later",
        hint="the error's line names those it has; adamw_torch is the usual one",
        fixes=(fixes.usual_optimizer,),
    ),
    Signature(
        name="no-target-modules",
        cause=Cause.CRASHED,
        pattern=r"^ValueError: Target modules \{?(?P<names>.*?)\}? not found in the base model",
        what="the model has no layers called {names} (lora_target_modules)",
        why="each family of models names its layers differently",
        hint="set lora_target_linear: true instead",
        fixes=(fixes.adapters_on_linear_layers,),
    ),
    Signature(
        name="reentrant-checkpointing",
        cause=Cause.CRASHED,
        pattern=r"^RuntimeError: Expected to mark a variable ready only once",
        what="gradient checkpointing and training on several GPUs do not go together in this way",
        why="the older, reentrant way computes a part twice, which DDP takes for a mistake",
        hint="set gradient_checkpointing_kwargs: {use_reentrant: false}",
        fixes=(fixes.checkpointing_for_many,),
    ),
    Signature(
        name="no-gradient",
        cause=Cause.CRASHED,
        pattern=r"^RuntimeError: element 0 of tensors does not require grad",
        what="nothing is there to be trained (element 0 of tensors does not require grad)",
        why="the older way of gradient checkpointing loses the adapter's gradients",
        hint="set gradient_checkpointing_kwargs: {use_reentrant: false}",
        fixes=(fixes.checkpointing_for_many,),
    ),
)
