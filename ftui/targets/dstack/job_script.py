"""job.sh: what the container runs. It tells its events in its log, and waits for its results."""

from __future__ import annotations

from collections.abc import Iterator

from ftui.targets.dstack.document import BEGAN, CONFIG, TENSORBOARD_PORT, Wish, asks_hub
from ftui.targets.dstack.options import Options, seconds
from ftui.text import duration

MARK = "@ftui "
"""Begins what ftui reads out of a job's output: an event, or that the results are ready."""
READY = "ready "
FETCHED = "fetched"
"""A file that the job waits for: its results have been brought home."""
UNTIL = "FTUI_UNTIL"
"""The variable with the end of all tries, which only a submission by ftui can know."""
HOLD_SECONDS = 1800
_KILL_SECONDS = 15
"""So long what was told to end may go on before it is killed."""
_END = "ftui-end"


def script(wish: Wish, checkpoint: str = "") -> str:
    """The text of job.sh. `checkpoint`: where training goes on from."""
    config = wish.parcel.config
    joins = "".join(f"cat {name}.part* >{name}\n" for name in wish.parcel.joined)
    lines = list(_exports(wish))
    exports = "\n".join(f"export {assignments}" for assignments in lines)
    board = f"tensorboard --logdir out --host 0.0.0.0 --port {TENSORBOARD_PORT} >/dev/null 2>&1 &\n"
    train = _train(wish, checkpoint)
    return _JOB.format(
        joins=joins,
        exports=exports,
        board=board if config.get("use_tensorboard") else "",
        train=train,
        limits=_limits(wish.options),
        over=_OVER,
        others=_OTHERS.format(train=train) if wish.options.nodes > 1 else "",
        mark=MARK,
        ready=READY,
        fetched=FETCHED,
        end=_END,
        minutes=HOLD_SECONDS // 60,
        seconds=HOLD_SECONDS,
    )


_JOB = """\
#!/bin/sh
# What the container runs; {mark}marks what ftui reads out of the output. See train.dstack.yml.
cd -- "$(dirname -- "$0")" || exit 1
{joins}{exports}
{limits}{others}
: >>events.jsonl
# Events leave with the log, each as one marked line, until a line that says `{end}`.
tail -n +1 -f --pid=$$ events.jsonl | sed -u -n '/^{end}$/q; /./s/^/{mark}/p' &
events=$!
(
  # Nothing of it goes on once this script has ended.
  timeout $left tail -f --pid=$$ /dev/null
  [ $? = 124 ] || exit
  printf '{{"v": 1, "ts": %s, "event": "stop_requested", "values": {{"why": "%s"}}}}\\n' \\
    "$(date +%s)" "$why" >>events.jsonl
  touch stop
) >/dev/null 2>&1 &
clock=$!
{board}{train}
code=$?
kill $clock 2>/dev/null
[ $code = 0 ] || [ "$(date +%s)" -lt $late ] || echo "{over}"
printf '\\n{end}\\n' >>events.jsonl && wait $events
if [ -d out ]; then
  # The results are lost with the container: it waits up to {minutes} min until they are fetched.
  echo "{mark}{ready}$code"
  left={seconds}
  while [ ! -e {fetched} ] && [ $left -gt 0 ]; do sleep 1; left=$((left - 1)); done
fi
exit $code
"""


_OVER = "its time was over before it had saved and ended"
_LIMITS = """
# dstack ends a try at its max_duration, and waits for no results: {minutes} before, training is
# asked to save and end; what still trains half of that later is ended. Each try has the whole
# max_duration anew: {until}, in seconds since 1970, is the end of all of them, where it is set.
now=$(date +%s)
end=$((${{{began}:-$now}} + {seconds})) why="its time is over: max_duration {duration}"
if [ "${{{until}:-$end}}" -lt $end ]; then
  end=${until} why="its time is over: that of all tries together"
fi
left=$((end - now - {grace}))
[ $left -gt 0 ] || {{ echo "too little time is left to train: $why"; exit 1; }}
late=$((now + left + {half}))
limit="timeout --foreground -k {kill} $((late - now))"
"""
_OTHERS = """
if [ "$DSTACK_NODE_RANK" != 0 ]; then
  # The first machine tells the events and keeps the results; this one only helps.
  {train}
  exit
fi
"""
_TOGETHER = (
    '--nnodes "$DSTACK_NODES_NUM" --node_rank "$DSTACK_NODE_RANK"',
    '--nproc_per_node "$DSTACK_GPUS_PER_NODE"',
    '--master_addr "$DSTACK_MASTER_NODE_IP" --master_port 29500',
)
"""How torchrun finds the other machines. The first one's rank is 0 in any case."""


def _limits(options: Options) -> str:
    """When training is to save and end, and when it is ended."""
    grace = options.grace_seconds
    return _LIMITS.format(
        began=BEGAN,
        until=UNTIL,
        duration=options.max_duration,
        seconds=seconds(options.max_duration),
        minutes=duration(grace),
        grace=grace,
        half=grace // 2,
        kill=_KILL_SECONDS,
    )


def _train(wish: Wish, checkpoint: str) -> str:
    """axolotl's command: in this process, by accelerate on several GPUs, or with other machines."""
    going_on = f" --resume-from-checkpoint {checkpoint}" if checkpoint else ""
    if wish.options.nodes > 1:
        launcher, more = " --launcher torchrun", f" -- {' '.join(_TOGETHER)}"
    else:
        launcher, more = "" if wish.gpus > 1 else " --launcher python", ""
    return f"$limit axolotl train {CONFIG}{launcher}{going_on}{more}"


def _exports(wish: Wish) -> Iterator[str]:
    yield "AXOLOTL_DO_NOT_TRACK=1 DO_NOT_TRACK=1"
    if not asks_hub(wish.parcel.config):
        yield "HF_HUB_OFFLINE=1  # model and data came along: ask no hub"
    if not wish.gpus:
        yield 'CUDA_VISIBLE_DEVICES=""  # on no GPU, whatever the machine has'
    yield 'PYTHONPATH="$PWD"  # where ftui_events.py is'
    yield 'FTUI_EVENTS="$PWD/events.jsonl"  # where it writes'
    yield "PYTHONUNBUFFERED=1"
