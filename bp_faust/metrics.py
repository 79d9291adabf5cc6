"""Count what this worker does, for Prometheus."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

from bp_faust.fhir import Reason

READINGS = Counter("bp_faust_readings", "Readings that were read from records.")
IMPLAUSIBLE = Counter("bp_faust_implausible_readings", "Readings among them that were set aside as implausible.")
REFUSALS = Counter("bp_faust_refusals", "Refused records, and refused parts of records, by reason.", ["reason"])
ALERTS = Counter("bp_faust_alert_events", "What became of alerts, by status.", ["status"])
NOTIFICATIONS = Counter("bp_faust_notifications", "Messages of alerts to people, by outcome.", ["outcome"])
DELIVERIES = Counter("bp_faust_fhir_deliveries", "Bundles to the FHIR subscriber, by outcome.", ["outcome"])
INDEXING_DENIED = Gauge(
    "bp_faust_indexing_denied", "1 while Elasticsearch does not let us write to an index, else 0.", ["index"]
)

for _reason in Reason:  # so that a reason that never occurred is 0 rather than absent
    REFUSALS.labels(_reason.value)
