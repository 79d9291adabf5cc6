"""Count and time what this worker does, for Prometheus."""

from __future__ import annotations

import platform
import time
from importlib.metadata import version

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, Info, disable_created_metrics
from prometheus_client.registry import Collector

from bp_faust.engine.batches import RECORDS_IN_A_BATCH, Batch
from bp_faust.fhir import Reason

# A second series for each one, which says no more than the process's own start.
disable_created_metrics()  # type: ignore[no-untyped-call]

#: The agents on the way of a reading, and what their part of it is called.
STAGES = {"intake": "intake", "monitor": "state", "index": "sink", "index_alerts": "sink"}

#: What the way through all of them is called.
END_TO_END = "end_to_end"

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
_RECORDS = (1, 10, 100, 500, 1000, 2000, RECORDS_IN_A_BATCH)
_BYTES = tuple(1 << exponent for exponent in range(10, 25, 2))

READINGS = Counter("bp_faust_readings", "Readings that were read from records.")
IMPLAUSIBLE = Counter("bp_faust_implausible_readings", "Readings that were read, and set aside as implausible.")
REFUSALS = Counter("bp_faust_refusals", "Refused records, and refused parts of records, by reason.", ["reason"])
FINDINGS = Counter(
    "bp_faust_findings",
    "Anomalies that were told to the anomalies topic, by type; of type withdrawn those that were taken back. What a "
    "correction changes is told again.",
    ["type"],
)
ALERTS = Counter("bp_faust_alert_events", "What became of alerts, by status.", ["status"])
NOTIFICATIONS = Counter("bp_faust_notifications", "Messages of alerts to people, by outcome.", ["outcome"])
DELIVERIES = Counter("bp_faust_fhir_deliveries", "Bundles to the FHIR subscriber, by outcome.", ["outcome"])
INDEXING_DENIED = Gauge(
    "bp_faust_indexing_denied", "1 while Elasticsearch does not let us write to an index, else 0.", ["index"]
)

BATCH_RECORDS = Histogram("bp_faust_batch_records", "Records in a batch, by stage.", ["stage"], buckets=_RECORDS)
BATCH_BYTES = Histogram("bp_faust_batch_bytes", "Bytes of a batch's values, by stage.", ["stage"], buckets=_BYTES)
STAGE_SECONDS = Histogram(
    "bp_faust_stage_seconds",
    "For how long a batch was at work in a stage: from being handed to the agent until its transaction is committed "
    "(intake, state) or Elasticsearch has acknowledged its documents (sink). One observation a batch.",
    ["stage"],
    buckets=_SECONDS,
)
LATENCY_SECONDS = Histogram(
    "bp_faust_latency_seconds",
    "How old the oldest record of a batch was when a stage was done with it. intake and state: from the timestamp of "
    "the ingest topic's record until its readings are committed, and until they are counted. sink: from the timestamp "
    "of the anomaly's or alert's record, which state wrote, until its document is acknowledged. end_to_end: from the "
    "ingest topic's record until then. One observation a batch, by the clocks of whoever gave the timestamp and of "
    "this worker.",
    ["stage"],
    buckets=_SECONDS,
)

Info("bp_faust_build", "Versions of what runs.").info(
    {"version": version("bp_faust"), "faust": version("faust-streaming"), "python": platform.python_version()}
)

for _reason in Reason:  # so that a reason that never occurred is 0 rather than absent
    REFUSALS.labels(_reason.value)
for _status in ("sent", "failed"):
    NOTIFICATIONS.labels(_status)
    DELIVERIES.labels(_status)
for _status in ("open", "escalated", "acknowledged", "resolved"):
    ALERTS.labels(_status)
LATENCY_SECONDS.labels(END_TO_END)
for _stage in STAGES.values():
    for _histogram in (BATCH_RECORDS, BATCH_BYTES, STAGE_SECONDS, LATENCY_SECONDS):
        _histogram.labels(_stage)


def observe_batch(agent: str, batch: Batch, seconds: float) -> None:
    """Note a batch that an agent is done with, and how many seconds it took."""
    stage = STAGES.get(agent)
    if stage is None:
        return
    BATCH_RECORDS.labels(stage).observe(len(batch.records))
    BATCH_BYTES.labels(stage).observe(batch.size)
    STAGE_SECONDS.labels(stage).observe(seconds)
    now = time.time()
    LATENCY_SECONDS.labels(stage).observe(max(0.0, now - batch.oldest))
    if batch.came_in is not None:
        LATENCY_SECONDS.labels(END_TO_END).observe(max(0.0, now - batch.came_in))


def export(collector: Collector) -> None:
    """Export what a collector finds whenever somebody looks."""
    REGISTRY.register(collector)
