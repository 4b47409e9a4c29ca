"""Failures of the GPU, its driver and what is compiled for it."""

from __future__ import annotations

from ftui.runs.failures import fixes
from ftui.runs.failures.cause import Cause
from ftui.runs.failures.signature import Signature

SIGNATURES = (
    Signature(
        name="old-driver",
        cause=Cause.CRASHED,
        pattern=(
            r"^RuntimeError: The NVIDIA driver on your system is too old "
            r"\(found version (?P<version>\d+)\)"
        ),
        what="the NVIDIA driver is too old for this PyTorch (found version {version})",
        why="PyTorch is compiled for one version of CUDA, which the driver must know",
        hint="update the driver, or make the train runtime with a PyTorch for an older CUDA",
    ),
    Signature(
        name="no-gpu",
        cause=Cause.CRASHED,
        pattern=(
            r"^RuntimeError: (?:No CUDA GPUs are available|Found no NVIDIA driver on your system)"
        ),
        what="no NVIDIA GPU can be used here (no driver, or none is visible)",
        why="the driver is missing, others hold the GPUs, or CUDA_VISIBLE_DEVICES hides them",
        hint="see what there is: nvidia-smi; to train without: --gpus 0 with a small model",
    ),
    Signature(
        name="torch-without-cuda",
        cause=Cause.CRASHED,
        pattern=r"^AssertionError: Torch not compiled with CUDA enabled",
        what="this PyTorch is made for CPUs, and something in the config wants a GPU",
        why="axolotl turns its fused LoRA kernels on by itself; they run on NVIDIA GPUs only",
        hint="to train on a GPU, make the runtime anew on a machine that has one: ftui setup train",
        fixes=(fixes.no_gpu_kernels,),
    ),
    Signature(
        name="no-kernel-image",
        cause=Cause.CRASHED,
        pattern=r"CUDA error: no kernel image is available for execution on the device",
        what="this PyTorch has no code for this GPU (no kernel image)",
        why="each release is compiled for some generations of GPUs; this one is older or newer",
        hint="make the train runtime with another PyTorch, or take another GPU",
    ),
    Signature(
        name="index-out-of-range",
        cause=Cause.CRASHED,
        pattern=(
            r"CUDA error: device-side assert triggered|"
            r"Assertion `srcIndex < srcSelectDimSize` failed"
        ),
        what="a token's number is larger than the model's vocabulary (device-side assert)",
        why="the tokenizer has tokens that the model has no vectors for: added ones, most often",
        hint="take the tokenizer of the base model itself, and no tokens: of your own",
    ),
    Signature(
        name="broken-gpu",
        cause=Cause.CRASHED,
        pattern=(
            r"CUDA error: (?P<error>uncorrectable ECC error encountered|unspecified launch failure|"
            r"the launch timed out and was terminated)"
        ),
        what="the GPU itself failed ({error})",
        why="that comes from the hardware or its driver, not from the config",
        hint="start again; when it comes back, restart the machine or take another GPU",
    ),
    Signature(
        name="flex-attention-on-cpu",
        cause=Cause.CRASHED,
        pattern=r"^NotImplementedError: FlexAttention does not support backward on CPU",
        what="FlexAttention cannot train on a CPU",
        why="it has no backward step there",
        hint="set attn_implementation: sdpa",
        fixes=(fixes.attention_without_packages,),
    ),
    Signature(
        name="no-bf16",
        cause=Cause.CRASHED,
        pattern=r"^ValueError: Your setup doesn't support bf16/gpu",
        what="this device cannot compute with bf16 numbers",
        why="bf16 needs an NVIDIA GPU of the Ampere generation (2020) or newer",
        hint="set bf16: false, and on a GPU fp16: true",
        fixes=(fixes.numbers_of_the_gpu,),
    ),
    Signature(
        name="fp16-weights",
        cause=Cause.CRASHED,
        pattern=r"^ValueError: Attempting to unscale FP16 gradients",
        what="weights that are trained are 16-bit themselves (unscale FP16 gradients)",
        why="with fp16, what is trained must be kept in 32 bits",
        hint="train an adapter (lora or qlora), or use bf16 on a GPU that has it",
    ),
    Signature(
        name="no-compiler",
        cause=Cause.CRASHED,
        pattern=r"^RuntimeError: Failed to find C compiler",
        what="there is no C compiler, which Triton needs to make code for the GPU",
        why="fused kernels are compiled on the machine that runs them",
        hint="install one: sudo apt install build-essential",
    ),
    Signature(
        name="old-gpu-for-flash-attention",
        cause=Cause.CRASHED,
        pattern=r"^RuntimeError: FlashAttention only supports Ampere GPUs or newer",
        what="FlashAttention does not run on this GPU",
        why="it needs an NVIDIA GPU of the Ampere generation (2020) or newer",
        hint="set attn_implementation: sdpa",
        fixes=(fixes.attention_without_packages,),
    ),
)
