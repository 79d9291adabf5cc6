"""Keep anomalies, alerts and refusals in Elasticsearch."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from mode.utils.logging import get_logger

from bp_faust import since_header
from bp_faust.app import app, settings
from bp_faust.dead_letters.letters import first_place_of, letter_headers, place_of
from bp_faust.dead_letters.reasons import NOT_AN_ALERT, NOT_AN_ANOMALY, refused_by_elasticsearch
from bp_faust.dead_letters.refusal_log import refusal_log
from bp_faust.engine.batches import Batch, Record
from bp_faust.event_documents import alert_document, anomaly_document, refusal_document
from bp_faust.models import AlertEvent, Anomaly, Refusal, Rejection
from bp_faust.pseudonyms import pseudonymise_alert, pseudonymise_anomaly
from bp_faust.search.documents import Document
from bp_faust.search.errors import SearchError
from bp_faust.search.sink import Sink, document_id
from bp_faust.sinks import alert_sink, anomaly_sink, client, refusal_sink
from bp_faust.topics import alerts, anomalies, dead_letters, told_refusals

logger = get_logger(__name__)

_PSEUDONYM_KEY = settings.secret("pseudonym_key")

_decode_anomaly = msgspec.json.Decoder(Anomaly).decode
_decode_alert = msgspec.json.Decoder(AlertEvent).decode
_decode_refusal = msgspec.json.Decoder(Refusal).decode


@app.task
async def open_anomalies() -> None:
    """Prepare the anomalies' index; counting does not wait for it."""
    await _open(anomaly_sink)


@app.task
async def open_alerts() -> None:
    """Prepare the alerts' index; counting does not wait for it."""
    await _open(alert_sink)


async def _open(sink: Sink) -> None:
    try:
        await app.wait(sink.open())
    except SearchError as exc:
        if not app.should_stop:
            await app.refuse(exc)


@app.on_before_shutdown.connect
async def close_indices(sender: object, **kwargs: object) -> None:
    """End the connections to Elasticsearch."""
    await client.close()


@app.batch_agent(anomalies)
async def index(batch: Batch) -> None:
    """Keep the anomalies' documents in Elasticsearch as they now are."""

    def document(record: Record, version: int) -> Document:
        anomaly = _decode_anomaly(record.value or b"")
        if _PSEUDONYM_KEY is not None:
            anomaly = pseudonymise_anomaly(_PSEUDONYM_KEY, anomaly)
        identity = document_id(anomaly.patient_id, anomaly.observation_id)
        source = anomaly_document(anomaly) if anomaly.anomaly_type is not None else None
        return Document(anomaly_sink.index, identity, version, source)

    await _keep(batch, anomaly_sink, document, NOT_AN_ANOMALY)


@app.batch_agent(alerts)
async def index_alerts(batch: Batch) -> None:
    """Keep the alerts' documents in Elasticsearch as they now are."""

    def document(record: Record, version: int) -> Document:
        event = _decode_alert(record.value or b"")
        if _PSEUDONYM_KEY is not None:
            event = pseudonymise_alert(_PSEUDONYM_KEY, event)
        return Document(alert_sink.index, event.alert_id, version, alert_document(event))

    await _keep(batch, alert_sink, document, NOT_AN_ALERT)


if refusal_sink is not None:
    _refusal_sink = refusal_sink

    @app.task
    async def open_refusals() -> None:
        """Prepare the refusals' index; counting does not wait for it."""
        await _open(_refusal_sink)

    @app.batch_agent(told_refusals)
    async def index_refusals(batch: Batch) -> None:
        """Note refused records in Elasticsearch, each once, by where it first came in."""
        documents = []
        for record in batch.records:
            refusal = _decode_refusal(record.value or b"")
            identity = f"{refusal.topic}/{refusal.partition}/{refusal.offset}"
            documents.append(Document(_refusal_sink.index, identity, record.offset + 1, refusal_document(refusal)))
        for refused in await _refusal_sink.write(documents):
            # Not a dead letter: its own refusal would be refused the same way, without end.
            logger.error(
                "Elasticsearch refused (%d) the note of a refusal at %s/%d/%d; the record is in the dead letters all "
                "the same.",
                refused.status,
                batch.topic,
                batch.partition,
                refused.document.version - 1,
                extra={"topic": batch.topic, "partition": batch.partition, "offset": refused.document.version - 1},
            )


async def _keep(batch: Batch, sink: Sink, document: Callable[[Record, int], Document], reason: str) -> None:
    """Store a batch's documents; what is none, and what Elasticsearch refuses for good, becomes a dead letter."""
    batch.came_in = since_header.read(record.headers for record in batch.records if record.headers)
    documents = []
    letters: list[tuple[Record, str, str]] = []
    by_version = {}
    for record in batch.records:
        # Offsets of a patient's partition grow with time, so that an old repeat never undoes a correction.
        version = first_place_of(batch, record).offset + 1
        try:
            documents.append(document(record, version))
        except msgspec.DecodeError as exc:
            letters.append((record, reason, str(exc)))
        else:
            by_version[version] = record
    for refused in await sink.write(documents):
        letters.append((by_version[refused.document.version], refused_by_elasticsearch(refused.status), refused.reason))
    sent = []
    # Refusals are counted by how far a partition got, so they must come in order.
    for record, code, detail in sorted(letters, key=lambda letter: letter[0].offset):
        headers = letter_headers(place_of(batch, record), record.headers, [Rejection(code, "", detail)])
        refusal_log.note(place_of(batch, record), [code])
        sent.append(
            await dead_letters.send(key=record.key, value=record.value, headers=headers, partition=batch.partition)
        )
    for stored in sent:
        await stored
