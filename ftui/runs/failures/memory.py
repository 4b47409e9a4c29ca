"""Failures for lack of memory: the GPU's, and the machine's."""

from __future__ import annotations

from ftui.runs.failures import fixes
from ftui.runs.failures.cause import Cause
from ftui.runs.failures.signature import Signature

_GPU_WHY = (
    "a step holds the model, the optimizer's state, and the activations of micro_batch_size "
    "examples of up to sequence_len tokens"
)
_GPU_HINT = "take a smaller model, QLoRA, a shorter sequence_len, or a GPU with more memory"
_GPU_FIXES = (
    fixes.smaller_batches,
    fixes.checkpointed_gradients,
    fixes.shorter_examples,
    fixes.four_bit_weights,
)
_DATA_WHY = "each process that prepares data holds its own share of it in memory"

SIGNATURES = (
    Signature(
        name="gpu-memory",
        cause=Cause.GPU_MEMORY,
        pattern=(
            r"CUDA out of memory\. Tried to allocate (?P<asked>[\d.]+ [KMGT]iB)\. "
            r"GPU (?P<gpu>\d+) has a total capac\w+ of (?P<total>[\d.]+ [KMGT]iB)"
            r" of which (?P<free>[\d.]+ (?:[KMGT]iB|bytes)) is free"
        ),
        what=(
            "GPU {gpu} ran out of memory (CUDA out of memory): "
            "{asked} more were asked for, {free} of {total} were free"
        ),
        why=_GPU_WHY,
        hint=_GPU_HINT,
        fixes=_GPU_FIXES,
    ),
    Signature(
        name="gpu-memory-older-torch",
        cause=Cause.GPU_MEMORY,
        pattern=(
            r"CUDA out of memory\. Tried to allocate (?P<asked>[\d.]+ [KMGT]iB) "
            r"\(GPU (?P<gpu>\d+); (?P<total>[\d.]+ [KMGT]iB) total capacity;"
            r".*?; (?P<free>[\d.]+ (?:[KMGT]iB|bytes)) free"
        ),
        what=(
            "GPU {gpu} ran out of memory (CUDA out of memory): "
            "{asked} more were asked for, {free} of {total} were free"
        ),
        why=_GPU_WHY,
        hint=_GPU_HINT,
        fixes=_GPU_FIXES,
    ),
    Signature(
        name="gpu-memory-cublas",
        cause=Cause.GPU_MEMORY,
        pattern=r"^RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling",
        what="the GPU has no memory left for its own libraries (CUBLAS_STATUS_ALLOC_FAILED)",
        why=_GPU_WHY,
        hint=_GPU_HINT,
        fixes=_GPU_FIXES,
    ),
    Signature(
        name="machine-memory",
        cause=Cause.MEMORY,
        pattern=r"DefaultCPUAllocator: can't allocate memory: you tried to allocate (?P<asked>\d+)",
        what="the machine has no memory left: {asked} bytes more were asked for",
        why="the model, its optimizer's state and the data are held in system memory here",
        hint="end other programs, take a smaller model, or a machine with more memory",
        fixes=(
            fixes.one_reader_of_weights,
            fixes.smaller_batches,
            fixes.checkpointed_gradients,
            fixes.shorter_examples,
        ),
    ),
    Signature(
        name="machine-memory-python",
        cause=Cause.MEMORY,
        pattern=r"^(?:\S+\.)?_?(?:Array)?MemoryError\b",
        what="the machine has no memory left (MemoryError)",
        why=_DATA_WHY,
        hint="end other programs, or take fewer rows: split: train[:10%] in the dataset",
        fixes=(fixes.one_data_process, fixes.one_reader_of_weights),
    ),
    Signature(
        name="machine-memory-fork",
        cause=Cause.MEMORY,
        pattern=r"\[Errno 12\] Cannot allocate memory",
        what="the machine has no memory left (Cannot allocate memory)",
        why=_DATA_WHY,
        hint="end other programs, or take a machine with more memory",
        fixes=(fixes.one_data_process, fixes.no_loader_workers),
    ),
    Signature(
        name="shared-memory",
        cause=Cause.MEMORY,
        pattern=(
            r"^.*(?:DataLoader worker \(pid.*?\) is killed by signal: Bus error|"
            r"unable to allocate shared memory\(shm\) for file)"
        ),
        what="the shared memory is full (/dev/shm)",
        why="the processes that load batches hand them over through /dev/shm, small in a container",
        hint="give the container more: docker run --shm-size=16g",
        fixes=(fixes.no_loader_workers,),
    ),
    Signature(
        name="loader-killed",
        cause=Cause.KILLED,
        pattern=(
            r"DataLoader worker \(pid.*?\) (?:is killed by signal: Killed|exited unexpectedly)"
        ),
        what="a process that loads batches died without a word (DataLoader worker)",
        why="the system does that to the largest process when its memory is used up",
        hint="see with `free -h` how much memory is left while it trains",
        fixes=(fixes.no_loader_workers,),
    ),
    Signature(
        name="map-killed",
        cause=Cause.KILLED,
        pattern=r"^RuntimeError: One of the subprocesses has abruptly died during map operation",
        what="a process that prepared the data died without a word (map operation)",
        why="the system does that to the largest process when its memory is used up",
        hint="see with `free -h` how much memory is left while it prepares the data",
        fixes=(fixes.one_data_process,),
    ),
)
