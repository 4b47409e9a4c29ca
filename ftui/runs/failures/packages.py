"""Failures of the train runtime: packages that are missing or do not fit each other."""

from __future__ import annotations

from ftui.runs.failures import fixes
from ftui.runs.failures.cause import Cause
from ftui.runs.failures.signature import Signature

SIGNATURES = (
    Signature(
        name="no-flash-attention",
        cause=Cause.CRASHED,
        pattern=(
            r"^ImportError: FlashAttention\d? has been toggled on, but it cannot be used|"
            r"^(?:ModuleNotFoundError|ImportError): .*'flash_attn'"
        ),
        what="FlashAttention is asked for, and not installed (flash-attn)",
        why="it is an extra package, compiled for one version of PyTorch",
        hint="set attn_implementation: sdpa",
        fixes=(fixes.attention_without_packages,),
    ),
    Signature(
        name="flash-attention-of-another-torch",
        cause=Cause.CRASHED,
        pattern=r"flash_attn_2_cuda\S*\.so: undefined\s+symbol",
        what="FlashAttention was compiled for another PyTorch (undefined symbol)",
        why="flash-attn must be made for exactly the PyTorch that is installed",
        hint="set attn_implementation: sdpa, or install flash-attn anew",
        fixes=(fixes.attention_without_packages,),
    ),
    Signature(
        name="bitsandbytes-without-cuda",
        cause=Cause.CRASHED,
        pattern=r"^[ \t]*(?:RuntimeError: )?CUDA Setup failed despite GPU being available",
        what="bitsandbytes found no CUDA that it was compiled for (CUDA Setup failed)",
        why="4-bit and 8-bit weights and optimizers are its work",
        hint="make the train runtime anew: ftui setup train; python -m bitsandbytes says more",
        fixes=(fixes.optimizer_without_bitsandbytes,),
    ),
    Signature(
        name="no-deepspeed",
        cause=Cause.CRASHED,
        pattern=(
            r"^ImportError: DeepSpeed is not installed|"
            r"^(?:ModuleNotFoundError|ImportError): .*[Dd]eep[Ss]peed"
        ),
        what="DeepSpeed is asked for, and not installed",
        why="it is an extra of axolotl that ftui does not install by itself",
        hint="pip install deepspeed into the train runtime, or take a preset with FSDP",
        fixes=(fixes.without_deepspeed,),
    ),
    Signature(
        name="no-module",
        cause=Cause.CRASHED,
        pattern=(
            r"^ModuleNotFoundError: No module named "
            r"'(?P<module>(?!flash_attn|deepspeed|mpi4py)[\w.]+)'"
        ),
        what="the Python package {module} is not installed in the train runtime",
        why="something in the config asks for it: a plugin, a kernel, or the model's own code",
        hint="install it there, or take out what asks for it; ftui doctor names the runtime",
    ),
    Signature(
        name="too-old-package",
        cause=Cause.CRASHED,
        pattern=(
            r"^ImportError: (?P<package>[\w.-]+)[<>=!~]=?[\w.,<>=]+ is required for a normal "
            r"functioning"
        ),
        what="the installed {package} has a version that transformers does not take",
        why="the packages of the train runtime were changed by hand",
        hint="make the train runtime anew: ftui setup train",
    ),
)
