"""Failures of the model hub, and of what was loaded from it."""

from __future__ import annotations

from ftui.runs.failures import fixes
from ftui.runs.failures.cause import Cause
from ftui.runs.failures.signature import Signature

SIGNATURES = (
    Signature(
        name="gated-login",
        cause=Cause.CRASHED,
        pattern=(
            r"Access to (?:model|dataset) (?P<repo>\S+) is restricted\. You must "
            r"(?:have access to it and )?be authenticated"
        ),
        what="{repo} is gated: the hub gives it only to people who are logged in (401)",
        why="no token was sent with the request",
        hint="accept its terms on its page, then export HF_TOKEN=… and start again",
    ),
    Signature(
        name="gated-terms",
        cause=Cause.CRASHED,
        pattern=(
            r"Access to (?:model|dataset) (?P<repo>\S+) is restricted and you are not in the "
            r"authorized list"
        ),
        what="{repo} is gated, and this token's owner has no access to it (403)",
        why="its terms are not accepted yet, or its owner has not answered yet",
        hint="open https://huggingface.co/{repo} and ask for access",
    ),
    Signature(
        name="bad-token",
        cause=Cause.CRASHED,
        pattern=r"Invalid (?:credentials in Authorization header|user token)",
        what="the hub does not know this token (401, HF_TOKEN)",
        why="it was mistyped, has expired or was taken back",
        hint="make a new one at https://huggingface.co/settings/tokens and export HF_TOKEN=…",
    ),
    Signature(
        name="no-repository",
        cause=Cause.CRASHED,
        pattern=(
            r"Repository Not Found for url: https?://[^/\s]+/(?:api/models/|(?:api/)?datasets/)?"
            r"(?P<repo>[\w.-]*\w(?:/(?!resolve/|revision/)[\w.-]*\w)?)"
        ),
        what="there is no {repo} on the hub, or it is private (404)",
        why="its name is mistyped, it has moved, or only its owner's token may see it",
        hint="look it up on https://huggingface.co; for a private one, export HF_TOKEN=…",
    ),
    Signature(
        name="rate-limit",
        cause=Cause.CRASHED,
        pattern=r"Error: (?:HTTP )?429 Client Error: Too Many Requests|^.*HfHubHTTPError: 429",
        what="the hub was asked too often in a short time (429 Too Many Requests)",
        why="without a login, all who share this network address share its limit",
        hint="wait some minutes and start again; with HF_TOKEN set, the limit is higher",
    ),
    Signature(
        name="hub-unreachable",
        cause=Cause.CRASHED,
        pattern=(
            r"^OSError: We couldn't connect to '[^']*' to load|"
            r"huggingface_hub\.errors\.OfflineModeIsEnabled: |"
            r"\[Errno -?\d+\] [^\n]*' thrown while requesting (?:.*\n){1,100}?"
            r"OSError: Can't load the configuration of '[^']*'"
        ),
        what="the model or dataset is not on this machine, and the hub cannot be reached",
        why="there is no network here, or HF_HUB_OFFLINE=1 forbids to use it",
        hint="start again with a network, or load it before: hf download NAME",
    ),
    Signature(
        name="no-model-config",
        cause=Cause.CRASHED,
        pattern=(
            r"^OSError: Can't load the configuration of '|"
            r"^OSError: .* does not appear to have a file named config\.json|"
            r"^ValueError: Unrecognized model in .*\. Should have a `model_type` key"
        ),
        what="the base model cannot be loaded: its config.json is not found",
        why="base_model names neither a folder with a model nor one that the hub gave",
        hint="check base_model; what was said before in the log tells whether the hub was reached",
    ),
    Signature(
        name="cut-weights",
        cause=Cause.CRASHED,
        pattern=(
            r"SafetensorError: Error while deserializing header|"
            r"SafetensorError: .*(?:MetadataIncompleteBuffer|incomplete metadata)"
        ),
        what="a file of weights is incomplete (safetensors)",
        why="its download or copy was cut off, or it is only Git LFS's pointer to the real file",
        hint="delete the model's folder in ~/.cache/huggingface/hub, and start again",
    ),
    Signature(
        name="unknown-architecture",
        cause=Cause.CRASHED,
        pattern=r"has model type `(?P<kind>[^`]*)` but Transformers does not recognize",
        what="this version of transformers does not know models of the type {kind}",
        why="the model is newer than the train runtime",
        hint="take another base model, or a newer axolotl: ftui setup train",
    ),
    Signature(
        name="remote-code",
        cause=Cause.CRASHED,
        pattern=(
            r"contains custom code which must be executed|"
            r"Please pass the argument `trust_remote_code=True`"
        ),
        what="the base model brings program code of its own, which was not allowed to run",
        why="that code would run on this machine with all your rights",
        hint="only if you trust its authors: trust_remote_code: true",
    ),
    Signature(
        name="wandb-login",
        cause=Cause.CRASHED,
        pattern=r"wandb\.errors.*(?:api_key not configured|No API key configured)",
        what="Weights & Biases does not know who you are (no API key)",
        why="wandb_project is set, and without a terminal it cannot ask",
        hint="export WANDB_API_KEY=…, or take wandb_project out",
        fixes=(fixes.metrics_on_this_machine,),
    ),
)
