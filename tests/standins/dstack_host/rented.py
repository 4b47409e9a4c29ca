"""Hosts of a lab as if they were rented by the hour, or might be taken away at any moment (spot).

A fleet of one's own machines is free of charge, and all that a lab has. What the server counts and
decides hangs on two of the facts that it keeps of each machine, so they are changed where it keeps
them; everything after that is its own doing.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Iterator

from tests.standins.dstack_host.lab import Lab

_LIMIT = 60.0
"""Seconds until the server has looked at each host."""
_LOOKED_AT = """
select count(*) = sum(json_extract(job_provisioning_data, '$.gpu_driver') is not null)
from instances where not deleted"""
"""It writes all that it knows of a host once more when it first hears of its driver."""
_CHANGE = """
update instances set price = :dollars,
  offer = json_set(offer,
    '$.price', :dollars, '$.instance.resources.spot', json(:spot)),
  job_provisioning_data = json_set(job_provisioning_data,
    '$.price', :dollars, '$.instance_type.resources.spot', json(:spot))
where not deleted"""


@contextlib.contextmanager
def rented(lab: Lab, dollars: float, *, spot: bool = False) -> Iterator[None]:
    """Have each host cost so many dollars an hour; free, and on demand, again after it."""
    _tell(lab, dollars, spot=spot)
    try:
        yield
    finally:
        _tell(lab, 0.0, spot=False)


def _tell(lab: Lab, dollars: float, *, spot: bool) -> None:
    file = lab.folder / "server" / "data" / "sqlite.db"
    with contextlib.closing(sqlite3.connect(file, timeout=_LIMIT)) as database:
        end = time.monotonic() + _LIMIT
        while not database.execute(_LOOKED_AT).fetchone()[0]:
            assert time.monotonic() < end, f"the server has not looked at its hosts; see {file}"
            time.sleep(0.2)
        with database:
            database.execute(_CHANGE, {"dollars": dollars, "spot": json.dumps(spot)})
