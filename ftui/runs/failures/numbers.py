"""Failures of the numbers: what was computed is no number any more."""

from __future__ import annotations

from ftui.runs.failures import fixes
from ftui.runs.failures.cause import Cause
from ftui.runs.failures.signature import Signature

WHY = "steps that are too large overshoot until numbers leave their range; every later step is lost"
HINT = "begin anew with a smaller learning_rate and more warmup_steps, and look at the rows"
FIXES = (fixes.wider_numbers, fixes.smaller_steps)

SIGNATURES = (
    Signature(
        name="loss-scale-at-minimum",
        cause=Cause.NOT_A_NUMBER,
        pattern=r"Current loss scale already at minimum - cannot decrease scale anymore",
        what="the gradients left the range of fp16 again and again (loss scale at its minimum)",
        why=WHY,
        hint=HINT,
        fixes=FIXES,
    ),
    Signature(
        name="not-a-number",
        cause=Cause.NOT_A_NUMBER,
        pattern=(
            r"^RuntimeError: (?:probability tensor contains either `inf`, `nan`|"
            r"Function '\w+' returned nan values|The total norm of order \S+ for gradients "
            r"from `parameters` is non-finite)"
        ),
        what="what was computed is no number any more (NaN)",
        why=WHY,
        hint=HINT,
        fixes=FIXES,
    ),
    Signature(
        name="nan-in-metrics",
        cause=Cause.NOT_A_NUMBER,
        pattern=r"^ *\{'loss': '?(?P<loss>[^',\n]*)'?, 'grad_norm': '?nan'?,",
        what="the training fell apart: grad_norm is nan (not a number), the loss says {loss}",
        why=WHY,
        hint=HINT,
        fixes=FIXES,
        echo=True,  # the run's events tell it better: since which step
    ),
)
