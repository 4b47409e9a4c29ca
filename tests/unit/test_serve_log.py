"""The one line in vLLM's log that says why it failed."""

import pytest

from ftui.targets.vllm import log as server_log

TAIL = """(APIServer pid=9) INFO 11-23 04:36:34 [utils.py:3] all is well
nanobind: leaked 3 instances!
resource_tracker.py:254: UserWarning: resource_tracker: There appear to be 1 leaked semaphore
  warnings.warn('resource_tracker: There appear to be %d '
"""
ULIMIT = (
    "(APIServer pid=9) WARNING 11-23 04:36:34 [system_utils.py:255] This can cause fd limit errors "
    "like `OSError: [Errno 24] Too many open files`.\n"
)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (
            "OSError: [Errno 98] Address already in use",
            "OSError: [Errno 98] Address already in use",
        ),
        (
            "huggingface_hub.errors.HFValidationError: Repo id must be",
            "huggingface_hub.errors.HFValidationError: Repo id must be",
        ),
        (
            "pydantic_core.ValidationError: 1 validation error\n"
            "  Value error, User-specified max_model_len (4096) is greater",
            "Value error, User-specified max_model_len (4096) is greater",
        ),
        (
            "(EngineCore pid=12) ERROR 11-23 04:44:58 [core.py:10] ValueError: Too little memory\n"
            "(APIServer pid=9) RuntimeError: Engine core initialization failed. See root cause",
            "ValueError: Too little memory",
        ),
        (
            "main.py: error: unrecognized arguments: --bogus",
            "main.py: error: unrecognized arguments: --bogus",
        ),
        (
            "vllm serve: error: argument --max-lora-rank: invalid choice: 10",
            "vllm serve: error: argument --max-lora-rank: invalid choice: 10",
        ),
    ],
)
def test_the_reason_is_found_before_the_leak_warnings(line: str, reason: str) -> None:
    assert (
        server_log.reason(f"{ULIMIT}Traceback (most recent call last):\n{line}\n{TAIL}") == reason
    )


def test_a_healthy_log_has_no_reason() -> None:
    assert server_log.reason(ULIMIT + TAIL) == ""


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("OSError: [Errno 98] Address already in use", "port"),
        ("torch.OutOfMemoryError: CUDA out of memory", "memory"),
        ("OSError: You are trying to access a gated repo.", "licence"),
    ],
)
def test_a_known_reason_has_a_hint(reason: str, word: str) -> None:
    assert word in server_log.hint(reason)


def test_an_unknown_reason_has_no_hint() -> None:
    assert server_log.hint("KeyError: 'x'") == ""
