"""Failures of the tokenizer, its special tokens and the chat template."""

from __future__ import annotations

from ftui.runs.failures import fixes
from ftui.runs.failures.cause import Cause
from ftui.runs.failures.signature import Signature

SIGNATURES = (
    Signature(
        name="no-tokenizer-file",
        cause=Cause.CRASHED,
        pattern=r"^ValueError: Couldn't instantiate the backend tokenizer from one of:",
        what="the base model's tokenizer cannot be made from the files that are there",
        why="tokenizer.json is missing or not whole; older kinds of tokenizer need sentencepiece "
        "or tiktoken to be read",
        hint="download the base model again, tokenizer.json too; or pip install sentencepiece "
        "tiktoken into the train runtime (ftui doctor names it)",
    ),
    Signature(
        name="no-chat-template",
        cause=Cause.CRASHED,
        pattern=(
            r"^ValueError: `chat_template choice is tokenizer_default but tokenizer's "
            r"chat_template is null|"
            r"^ValueError: Cannot use chat template functions because tokenizer\.chat_template"
        ),
        what="the base model brings no chat template",
        why="a base model that was never taught to chat has none; the rows are conversations",
        hint="set chat_template: chatml, or take the model's Instruct version",
        fixes=(fixes.common_template,),
    ),
    Signature(
        name="template-error",
        cause=Cause.CRASHED,
        pattern=r"^jinja2\.exceptions\.(?:TemplateError|UndefinedError): (?P<error>.*?)[./]*$",
        what="the chat template refuses a conversation: {error}",
        why="many templates want user and assistant to take turns, and some no system message",
        hint="see the conversations that break the rule: ftui data FILE",
    ),
    Signature(
        name="end-of-turn-in-parts",
        cause=Cause.CRASHED,
        pattern=r"^ValueError: EOT token '(?P<token>.*?)' is encoded as multiple tokens",
        what="{token} is no single token of this model (eot_tokens)",
        why="the end of a turn is learnt as one token; in parts, answers would not end",
        hint="name the model's own in eot_tokens, or add it under tokens:",
    ),
    Signature(
        name="new-tokens-not-learnt",
        cause=Cause.CRASHED,
        pattern=(
            r"^ValueError: (?:`lora_modules_to_save` not properly set when adding new tokens|"
            r"Please set lora_modules_to_save to)"
        ),
        what="new tokens are added, and nothing would teach the model what they mean",
        why="LoRA leaves the vectors of the tokens as they are (embed_tokens, lm_head)",
        hint="set lora_modules_to_save: [embed_tokens, lm_head]",
        fixes=(fixes.learnt_embeddings,),
    ),
)
