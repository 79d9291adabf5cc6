"""Tell how this worker stands, at little cost: nothing here looks at patients one by one."""

from __future__ import annotations

import collections
import platform
import time
from collections import deque
from importlib.metadata import version
from typing import Any

from faust.types import TP
from prometheus_client import Counter

from bp_faust.app import app
from bp_faust.clinical.totals import together
from bp_faust.search.sink import are_reachable
from bp_faust.sinks import sinks
from bp_faust.tables import local_refusals, patients, refusals, totals_of
from bp_faust.telemetry import metrics
from bp_faust.telemetry.installation import TablePartition, TopicPartition, WorkerOverview, WorkerSystem

#: Over how many seconds readings a second are counted, at least and at most.
_SHORTEST_SECONDS, _LONGEST_SECONDS = 0.5, 10.0


class Rate:
    """Tell how fast a number grows, from when it was looked at."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque()

    def of(self, number: float, now: float) -> float | None:
        """Return the growth a second over the last seconds; None where it was not looked at within them."""
        seen = self._seen
        while seen and seen[0][0] < now - _LONGEST_SECONDS:
            seen.popleft()
        rate = None
        if seen and now - seen[0][0] >= _SHORTEST_SECONDS:
            rate = (number - seen[0][1]) / (now - seen[0][0])
        if not seen or now - seen[-1][0] >= _SHORTEST_SECONDS:
            seen.append((now, number))
        return rate


_rate = Rate()


def address() -> str:
    """Return the address under which other workers know this one."""
    return str(app.conf.canonical_url)


def _state() -> dict[str, Any]:
    return {
        "address": address(),
        "ready": app.is_ready,
        "recovering": app.in_recovery,
        "entries_to_recover": app.entries_to_recover,
        "entries_of_recovery": app.entries_of_recovery,
        "no_sign_of": app.overdue,
        "hindrances": dict(app.hindrances),
        "sink_reachable": are_reachable(sinks),
        "partitions": patients.store.active_partitions,
    }


def worker_overview() -> WorkerOverview:
    """Return what this worker adds to the overview."""
    lag = collections.Counter[str]()
    for tp, behind in app.lag.items():
        lag[tp.topic] += behind
    found = (totals_of(partition) for partition in patients.store.active_partitions)
    return WorkerOverview(
        **_state(),
        readings_per_second=_rate.of(_counted(metrics.READINGS), time.monotonic()),
        totals=together(totals for totals in found if totals is not None),
        refusals=local_refusals(),
        lag=dict(lag),
        alert_changes=int(_counted(metrics.ALERTS)),
    )


def _counted(counter: Counter) -> float:
    samples = [sample for metric in counter.collect() for sample in metric.samples]
    return sum([sample.value for sample in samples if sample.name.endswith("_total")])


def worker_system() -> WorkerSystem:
    """Return what this worker is made of."""
    return WorkerSystem(
        **_state(),
        version=version("bp_faust"),
        python=platform.python_version(),
        topic_partitions=[
            TopicPartition(topic, partition, app.lag.get(TP(topic, partition)))
            for topic, partitions in app.assigned.items()
            for partition in partitions
        ],
        tables=[
            TablePartition(table.name, partition, table.store.is_active(partition), table.store.position(partition))
            for table in (patients, refusals)
            for partition in table.store.held_partitions
        ],
    )


def wanted_partitions() -> list[tuple[str, int]]:
    """Return topic and partition of what somebody should work on, as far as the number of partitions is set."""
    return [
        (topic.name, partition)
        for topic in app.wanted_topics
        if topic.exact and app.batched_topics.get(topic.name)
        for partition in range(app.conf.topic_partitions)
    ]
