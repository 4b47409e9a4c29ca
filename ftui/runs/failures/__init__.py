"""After a crash: why a run ended badly, from evidence, and what to set differently next time.

`diagnose(run)` asks everyone who may know. `table.py` lists the known failures, one file a
subject; `fixes.py` holds what settings can mend.
"""

from __future__ import annotations

from ftui.runs.failures.cause import Cause as Cause
from ftui.runs.failures.diagnose import diagnose as diagnose
from ftui.runs.failures.diagnosis import Diagnosis as Diagnosis
from ftui.runs.failures.not_a_number import numbers_lost as numbers_lost
from ftui.runs.failures.signature import Trial as Trial
