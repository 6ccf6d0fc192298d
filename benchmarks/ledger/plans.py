"""Each filter's worst case: its time through the API, and the plans of the statements that the API asked for it."""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any, Final
from urllib.parse import urlencode

from benchmarks.ledger import servers
from benchmarks.ledger.call import (
    RARE_FROM,
    RARE_NUMBER,
    RARE_PROVIDER,
    RARE_REASON,
    RARE_STATUS,
    RARE_TAG,
    SMALL_BATCH,
)
from benchmarks.ledger.client import PAGE, get
from benchmarks.ledger.data import AGENT, day_iso
from benchmarks.ledger.pages import deep_cursor, deep_number
from benchmarks.ledger.programs import Server
from benchmarks.ledger.stores import Store

_TIMES: Final = 12
"""PostgreSQL makes a plan for any parameters after five; the median is of those plans."""
_LONGEST_S: Final = 20.0
_NOT_THE_LIST: Final = ("FROM api_keys", "FROM agents")
_COUNTER: Final = "FROM execution_counts"
"""Always the same look-up: its plan is shown once a dimension."""

FILTERS: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"status": RARE_STATUS},
    {"status": "completed"},
    {"status": f"stopped,error,{RARE_STATUS}"},
    {"call_type": "inbound"},
    {"provider": RARE_PROVIDER},
    {"provider": "nobody"},
    {"answered_by_voice_mail": "true"},
    {"answered_by_voice_mail": "false"},
    {"batch_id": SMALL_BATCH},
    {"from": day_iso(0), "to": day_iso(1)},
    {"from": day_iso(20), "to": day_iso(50)},
    {"to_number": RARE_NUMBER},
    {"to_number": "+14155559999"},
    {"from_number": RARE_FROM},
    {"from_number": "+14155559999"},
    {"hangup_reason": RARE_REASON},
    {"min_duration": 100_000},
    {"max_duration": 0},
    {"min_cost": 100_000},
    {"max_cost": 0},
    {"recipient_data[tag]": RARE_TAG},
    {"recipient_data[tag]": "nobody"},
    {"extracted_data[satisfaction]": 9},
    {"status": "completed", "hangup_reason": RARE_REASON},
    {"status": "failed", "provider": "plivo", "call_type": "outbound", "answered_by_voice_mail": "true"},
)


def show(store: Store, database: str, rows: int, folder: Path) -> None:
    number = deep_number(rows)
    asked = (
        *FILTERS,
        {"cursor": deep_cursor(store, database, rows)},
        {"page_number": number},
        {"status": "completed", "page_number": number // 2},
        {"from": day_iso(0), "page_number": number},
    )
    print(f"== {store.name}, worst cases of filters among {rows}, load before {os.getloadavg()[0]:.2f}")
    with tempfile.TemporaryDirectory(dir=folder) as name:
        statements = Path(name) / "statements"
        os.environ["LEDGER_STATEMENTS"] = str(statements)
        api = servers.api(store.url(database), Path(name), ("-m", "benchmarks.ledger.recording_api"))
        try:
            shown: set[str] = set()
            for query in asked:
                _show_one(store, database, api, query, statements, shown)
        finally:
            api.stop()


def _show_one(
    store: Store, database: str, api: Server, query: dict[str, Any], statements: Path, shown: set[str]
) -> None:
    path = f"{PAGE}?{urlencode(query)}"
    statements.write_text("")
    times: list[float] = []
    started = time.monotonic()
    while len(times) < _TIMES and time.monotonic() - started < _LONGEST_S:
        start = time.perf_counter()
        status, body = get(api, path)
        times.append((time.perf_counter() - start) * 1000)
    page = json.loads(body)
    what = f"{len(page['data'])} of {page['total']}" if status == 200 else f"{status}: {page}"
    if page.get("total_exact") is False:
        what += " or more"
    print(f"  {urlencode(query, safe='[],:+') or 'no filter'}: {what}")
    print(f"    median {median(times):.1f} ms, worst {max(times):.1f} ms of {len(times)}", flush=True)
    noted = dict(json.loads(line) for line in statements.read_text().splitlines())
    for sql, params in noted.items():
        if params.get("agent_id") == AGENT and not any(table in sql for table in _NOT_THE_LIST):
            if _COUNTER in sql and sql in shown:
                print("    total from its counter, as above")
                continue
            shown.add(sql)
            print(f"    {' '.join(sql.split())}")
            for line in store.plan(database, sql, params):
                print(f"      | {line}")
