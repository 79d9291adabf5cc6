"""Declare the topics; the engine creates those that are missing before anything is read."""

from __future__ import annotations

from bp_faust.app import app, settings
from bp_faust.encoding import Versioned
from bp_faust.models import Reading

#: A dead letter is as large as whatever a broker took on the ingest topic, and our headers.
_DEAD_LETTER_CONFIG = {"max.message.bytes": str(64 << 20), "retention.ms": "-1"}

#: Anyone's FHIR, with any key, in any number of partitions.
readings = app.batched_topic(settings.readings_topic, exact=False)
#: What could not be read, its bytes unchanged, with the reason in its headers.
dead_letters = app.batched_topic(f"{settings.readings_topic}-dlq", config=_DEAD_LETTER_CONFIG)
#: That records were refused, each once: JSON; nothing unless refusals are to be in Elasticsearch.
told_refusals = app.batched_topic(f"{settings.app_id}-refusals")
#: Readings in our own encoding, partitioned by patient.
patient_readings = app.batched_topic(f"{settings.app_id}-readings")
#: What was found wrong, for everyone: JSON, keyed by patient.
anomalies = app.batched_topic(settings.anomalies_topic)
#: What became of alerts, for everyone: JSON, keyed by patient.
alerts = app.batched_topic(settings.alerts_topic)
#: Averages and alerts as FHIR resources, keyed by patient; nothing unless it is switched on.
fhir_resources = app.batched_topic(settings.fhir_topic)
#: What people set for patients and cohorts: JSON, the last one for each key ``patient/<id>`` or ``cohort/<name>``.
patient_settings = app.batched_topic(
    f"{settings.app_id.replace('_', '-')}-patient-settings", config={"cleanup.policy": "compact"}
)

#: What people did: JSON, keyed by whom it was done to, and kept for ever.
audit = app.batched_topic(settings.audit_topic, config={"retention.ms": "-1"}, exact=False)

#: What a record of ``patient_readings`` holds: readings of patients of one partition.
reading_batches: Versioned[list[Reading]] = Versioned(list[Reading])
