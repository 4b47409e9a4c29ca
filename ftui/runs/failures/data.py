"""Failures of the dataset: not found, not readable, not in the shape that was promised."""

from __future__ import annotations

from ftui.runs.failures import fixes
from ftui.runs.failures.cause import Cause
from ftui.runs.failures.signature import Signature

SIGNATURES = (
    Signature(
        name="no-dataset",
        cause=Cause.CRASHED,
        pattern=r"misconfigured dataset path \((?P<path>.*?)\)\. Try double-check",
        what="there is no dataset {path} to be found",
        why="it is neither a file on this machine nor, as far as could be asked, one on the hub",
        hint="see what a file holds: ftui data FILE; a hub dataset is written owner/name",
    ),
    Signature(
        name="broken-json",
        cause=Cause.CRASHED,
        pattern=(
            r"pyarrow\.lib\.ArrowInvalid: JSON parse error: (?P<error>.*?)"
            r"(?: in row \d+)?$"
        ),
        what="the dataset is not JSON all through: {error}",
        why="one line of a .jsonl file is one JSON object; a single broken line stops the reading",
        hint="see which line it is: ftui data FILE",
    ),
    Signature(
        name="mixed-columns",
        cause=Cause.CRASHED,
        pattern=(
            r"^ValueError: The features can't be aligned because the key|"
            r"^datasets\.table\.CastError: Couldn't cast"
        ),
        what="the dataset's rows do not have the same columns, or not the same kind of values",
        why="all rows become one table: a column is text everywhere, or a list everywhere",
        hint="see which rows differ: ftui data FILE",
    ),
    Signature(
        name="missing-column",
        cause=Cause.CRASHED,
        pattern=(
            r"^KeyError: '(?P<column>instruction|input|output|text|prompt|completion|chosen|"
            r"rejected|messages|conversations|question|answer|label)'"
        ),
        what="the dataset has no column {column}",
        why="the dataset's type in the config says which columns are read; the file has others",
        hint="see the columns and the type that fits: ftui data FILE",
    ),
    Signature(
        name="no-messages",
        cause=Cause.CRASHED,
        pattern=r"^ValueError: Messages is null\. Please check `field_messages`",
        what="the dataset has no conversations where the config looks for them (field_messages)",
        why="type: chat_template reads the column that field_messages names, `messages` if none",
        hint="see what the column is called: ftui data FILE",
    ),
    Signature(
        name="text-for-messages",
        cause=Cause.CRASHED,
        pattern=r"^json\.decoder\.JSONDecodeError: (?P<error>.*)$",
        what="text that should be JSON is not: {error}",
        why="a conversation is a list of messages, each with a role and its content",
        hint="see which row it is: ftui data FILE",
    ),
    Signature(
        name="empty-dataset",
        cause=Cause.CRASHED,
        pattern=r"^StopIteration$",
        what="the dataset has no rows",
        why="its file is empty, or every row was left out while it was read",
        hint="see how many rows are kept: ftui data FILE",
    ),
    Signature(
        name="all-rows-dropped",
        cause=Cause.CRASHED,
        pattern=r"^ValueError: num_samples should be a positive integer value, but got",
        what="no row of the dataset is left to train on",
        why="rows longer than sequence_len tokens are left out, and rows with nothing to learn",
        hint="set a larger sequence_len; see the rows' lengths: ftui data FILE",
    ),
    Signature(
        name="row-too-long",
        cause=Cause.CRASHED,
        pattern=(
            r"^ValueError: (?:Sequence encountered with (?P<tokens>\d+) tokens, which exceeds the "
            r"maximum (?P<limit>\d+)|Sample exceeds configured sequence_len)"
        ),
        what="a row is longer than sequence_len tokens",
        why="excess_length_strategy: raise makes one such row end the training",
        hint="set a larger sequence_len, or leave such rows out",
        fixes=(fixes.long_rows_left_out,),
    ),
    Signature(
        name="no-split",
        cause=Cause.CRASHED,
        pattern=(
            r"^ValueError: (?:Unknown split \"(?P<split>[^\"]*)\"|"
            r"no \w+ split found for dataset)"
        ),
        what="the dataset has no split of that name",
        why="a dataset's rows may come in parts, named train, test, validation or otherwise",
        hint="the error's line names those it has: write one into datasets.0.split",
    ),
    Signature(
        name="all-rows-kept-back",
        cause=Cause.CRASHED,
        pattern=(
            r"^ValueError: test_size=(?P<asked>\S+) should be either positive and smaller than the "
            r"number of samples (?P<rows>\d+)"
        ),
        what="val_set_size keeps {asked} rows back for the eval loss; the dataset has {rows}",
        why="a whole number means so many rows, a number below 1 that share of them",
        hint="set val_set_size: 0.05",
        fixes=(fixes.fewer_rows_kept_back,),
    ),
)
