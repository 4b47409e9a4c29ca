"""`python -m tests.standins.dstack_host.server server …`: the real `dstack`, in a hurry.

All of it is the package's own; only the pauses are shorter that it makes between two looks at a
run and before it tries again what was interrupted, and the time after which it takes a machine for
lost that does not answer (two minutes).
"""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any

from dstack._internal.cli.main import main
from dstack._internal.server.background.pipeline_tasks import jobs_running
from dstack._internal.server.background.pipeline_tasks.base import Fetcher, Pipeline
from dstack._internal.server.background.pipeline_tasks.runs import pending

LOST_SECONDS = 15
TRY_AGAIN_SECONDS = 3
_PAUSE = timedelta(seconds=1)

_made = Pipeline.__init__


def _hurried(self: Any, *given: Any, min_processing_interval: timedelta, **more: Any) -> None:
    pause = min(min_processing_interval, _PAUSE)
    _made(self, *given, min_processing_interval=pause, **more)


Pipeline.__init__ = _hurried
Fetcher._DEFAULT_FETCH_DELAYS = [0.2, 0.5]
jobs_running.JOB_DISCONNECTED_RETRY_TIMEOUT = timedelta(seconds=LOST_SECONDS)
pending._PENDING_RETRY_DELAYS = [timedelta(seconds=TRY_AGAIN_SECONDS)]
sys.exit(main())
