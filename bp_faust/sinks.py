"""Keep the connection to Elasticsearch and the indices that are written through it."""

from __future__ import annotations

from bp_faust.app import app, settings
from bp_faust.search.client import connect
from bp_faust.search.errors import SearchError
from bp_faust.search.sink import Sink
from bp_faust.search.templates import ALERT_PROPERTIES, ANOMALY_PROPERTIES, REFUSAL_PROPERTIES, Properties
from bp_faust.settings.reading import told_in_form
from bp_faust.telemetry import metrics
from bp_faust.telemetry.worker_metrics import WorkerCollector

try:
    client = connect(
        settings.elasticsearch_url,
        api_key=settings.secret("elasticsearch_api_key"),
        username=settings.elasticsearch_username,
        password=settings.secret("elasticsearch_password"),
        ca_certs=str(settings.elasticsearch_ca_certs) if settings.elasticsearch_ca_certs else None,
    )
except SearchError as exc:
    raise SystemExit(told_in_form(str(exc))) from exc


def _sink(index: str, properties: Properties) -> Sink:
    def note_denial(reason: str | None) -> None:
        metrics.INDEXING_DENIED.labels(index).set(reason is not None)
        if reason is None:
            app.hindrances.pop(f"index {index}", None)
        else:
            app.hindrances[f"index {index}"] = reason

    note_denial(None)  # so that the metric is 0 rather than absent
    return Sink(client, index, properties, app.watchdog.still_at_work, note_denial)


anomaly_sink = _sink(settings.elasticsearch_index, ANOMALY_PROPERTIES)
alert_sink = _sink(settings.elasticsearch_alerts_index, ALERT_PROPERTIES)
#: None where refusals are not to be in Elasticsearch.
refusal_sink = (
    _sink(settings.elasticsearch_refusals_index, REFUSAL_PROPERTIES) if settings.elasticsearch_refusals_index else None
)
sinks = tuple(sink for sink in (anomaly_sink, alert_sink, refusal_sink) if sink is not None)

app.batch_listeners.append(metrics.observe_batch)
metrics.export(WorkerCollector(app, sinks))
