"""Read readings, follow patients, index anomalies: three agents, joined by topics."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from zoneinfo import ZoneInfo

import msgspec

from bp_faust import fhir, metrics
from bp_faust.app import app, settings
from bp_faust.dead_letters import Origin, is_replay_note, letter_headers, read_letter, read_replay_note, source_origin
from bp_faust.engine.batches import Batch, Effects, Record
from bp_faust.engine.partitioner import partition_of
from bp_faust.models import AlertEvent, Anomaly, Reading, Rejection
from bp_faust.patient_batch import PatientBatch
from bp_faust.patient_settings import PatientSettingsError, read_setting
from bp_faust.pseudonyms import pseudonymise_alert, pseudonymise_anomaly
from bp_faust.search.documents import Document
from bp_faust.search.errors import SearchError
from bp_faust.search.sink import Sink, document_id
from bp_faust.settings import read_judges
from bp_faust.signals import SIGNAL_KEY, SetPatient, Signal, signals
from bp_faust.sinks import alert_sink, anomaly_sink, client
from bp_faust.tables import patients, reason_key, refusal_counts, refusals, refused_up_to_key, replayed_key
from bp_faust.topics import (
    alerts,
    anomalies,
    dead_letters,
    patient_readings,
    patient_settings,
    reading_batches,
    readings,
)

#: How many readings a record of our own topic holds at most: about 50 kB.
_READINGS_PER_RECORD = 500

#: How many refused records of a batch fhir.resources explains at most: it takes longer than all else.
_MOST_EXPLAINED = 50

_judges = read_judges(settings)
_AVERAGES_ZONE = ZoneInfo(settings.default_time_zone) if settings.fhir_output else None
_PARSE_OPTIONS = settings.parse_options()
_UNEXPLAINED = replace(_PARSE_OPTIONS, validation="off") if _PARSE_OPTIONS.validation == "rejects" else _PARSE_OPTIONS

_PSEUDONYM_KEY = settings.secret("pseudonym_key")

_decode_anomaly = msgspec.json.Decoder(Anomaly).decode
_decode_alert = msgspec.json.Decoder(AlertEvent).decode


@app.transactional_agent(readings)
def intake(batch: Batch, effects: Effects) -> None:
    """Turn anyone's records into readings, by patient, and put aside what is none."""
    partitions = app.conf.topic_partitions
    by_partition: dict[int, list[Reading]] = defaultdict(list)
    options, refused = _PARSE_OPTIONS, 0
    for record in batch.records:
        origin = _origin(batch, record)
        rejections = []
        for index, outcome in enumerate(fhir.parse(record.value or b"", options)):
            if isinstance(outcome, Rejection):
                rejections.append(outcome)
                continue
            if fhir.flags.IMPLAUSIBLE in outcome.flags:
                metrics.IMPLAUSIBLE.inc()
            outcome.received = origin.timestamp / 1000
            if outcome.effective is not None:
                outcome.flags += fhir.time_flags(outcome.effective, outcome.received)
            outcome.position = (origin.partition, origin.offset)
            if outcome.observation_id is None:
                outcome.observation_id = f"{origin}/{index}"
            by_partition[partition_of(outcome.patient_id, partitions)].append(outcome)
        if rejections:
            refused += 1
            options = _PARSE_OPTIONS if refused < _MOST_EXPLAINED else _UNEXPLAINED
            effects.send(
                dead_letters.get_topic_name(),
                origin.partition % partitions,
                record.value,
                key=record.key,
                headers=letter_headers(_here(batch, record), record.headers, rejections),
            )
            for rejection in rejections:
                metrics.REFUSALS.labels(rejection.reason).inc()
    topic = patient_readings.get_topic_name()
    for partition, found in by_partition.items():
        metrics.READINGS.inc(len(found))
        for start in range(0, len(found), _READINGS_PER_RECORD):
            effects.send(topic, partition, reading_batches.encode(found[start : start + _READINGS_PER_RECORD]))


@app.transactional_agent(patient_readings, table=patients)
def monitor(batch: Batch, effects: Effects) -> None:
    """Count each reading once, in its patient's state, and tell what is wrong."""
    found: dict[str, list[Reading]] = defaultdict(list)
    told: list[Signal] = []
    oldest = float("inf")
    for record in batch.records:
        if record.key == SIGNAL_KEY:
            told.append(signals.decode(record.value or b""))
            continue
        for reading in reading_batches.decode(record.value or b""):
            found[reading.patient_id].append(reading)
            if reading.received < oldest:
                oldest = reading.received
    if found:
        batch.since = oldest
    known = PatientBatch(batch.partition, _judges, settings.retention_days * 86_400.0, _AVERAGES_ZONE)
    known.load(found)
    if told:
        known.set(told)
    known.take(found)
    if told:
        known.hear(told)
    known.add_to(effects)


@app.transactional_agent(patient_settings)
def apply_settings(batch: Batch, effects: Effects) -> None:
    """Pass what is set for patients and cohorts on to where their state is."""
    partitions = app.conf.topic_partitions
    for record in batch.records:
        try:
            signal = read_setting(record.key, record.value, record.timestamp / 1000)
        except PatientSettingsError as exc:
            rejection = Rejection("settings-invalid", "", str(exc))
            headers = letter_headers(_here(batch, record), record.headers, [rejection])
            partition = batch.partition % partitions
            effects.send(dead_letters.get_topic_name(), partition, record.value, key=record.key, headers=headers)
            continue
        concerned = (
            [partition_of(signal.patient_id, partitions)] if isinstance(signal, SetPatient) else range(partitions)
        )
        for partition in concerned:
            effects.send(patient_readings.get_topic_name(), partition, signals.encode(signal), key=SIGNAL_KEY)


@app.transactional_agent(dead_letters, table=refusals)
def count_refusals(batch: Batch, effects: Effects) -> None:
    """Count refused records by reason, each once: a topic's partition is refused in order, but for replays."""
    letters = []
    for record in batch.records:
        if is_replay_note(record.headers):
            when = refusal_counts.encode(record.timestamp)
            effects.changes.update((replayed_key(origin), when) for origin in read_replay_note(record.value))
        else:
            letters.append(read_letter(_here(batch, record), record.key, record.value, record.headers))
    keys = {refused_up_to_key(letter.origin.topic, letter.origin.partition) for letter in letters}
    keys |= {reason_key(reason) for letter in letters for reason in letter.reasons}
    before = {
        key: refusal_counts.decode(value) if value is not None else 0
        for key, value in zip(keys, refusals.store.get_many(batch.partition, list(keys)), strict=True)
    }
    known = dict(before)
    for letter in letters:
        up_to = refused_up_to_key(letter.origin.topic, letter.origin.partition)
        if letter.origin.offset >= known[up_to]:
            known[up_to] = letter.origin.offset + 1
            for reason in letter.reasons:
                known[reason_key(reason)] += 1
    effects.changes.update((key, refusal_counts.encode(count)) for key, count in known.items() if count != before[key])


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
        anomaly, source = _decode_anomaly(record.value or b""), record.value
        if _PSEUDONYM_KEY is not None:
            anomaly = pseudonymise_anomaly(_PSEUDONYM_KEY, anomaly)
            source = msgspec.json.encode(anomaly)
        identity = document_id(anomaly.patient_id, anomaly.observation_id)
        return Document(anomaly_sink.index, identity, version, source if anomaly.anomaly_type is not None else None)

    await _keep(batch, anomaly_sink, document, "not-an-anomaly")


@app.batch_agent(alerts)
async def index_alerts(batch: Batch) -> None:
    """Keep the alerts' documents in Elasticsearch as they now are."""

    def document(record: Record, version: int) -> Document:
        event, source = _decode_alert(record.value or b""), record.value
        if _PSEUDONYM_KEY is not None:
            event = pseudonymise_alert(_PSEUDONYM_KEY, event)
            source = msgspec.json.encode(event)
        return Document(alert_sink.index, event.alert_id, version, source)

    await _keep(batch, alert_sink, document, "not-an-alert")


async def _keep(batch: Batch, sink: Sink, document: Callable[[Record, int], Document], reason: str) -> None:
    """Store a batch's documents; what is none, and what Elasticsearch refuses for good, becomes a dead letter."""
    documents = []
    letters: list[tuple[Record, str, str]] = []
    by_version = {}
    for record in batch.records:
        # Offsets of a patient's partition grow with time, so that an old repeat never undoes a correction.
        version = _origin(batch, record).offset + 1
        try:
            documents.append(document(record, version))
        except msgspec.DecodeError as exc:
            letters.append((record, reason, str(exc)))
        else:
            by_version[version] = record
    for refused in await sink.write(documents):
        letters.append((by_version[refused.document.version], f"elasticsearch-{refused.status}", refused.reason))
    sent = []
    # Refusals are counted by how far a partition got, so they must come in order.
    for record, code, detail in sorted(letters, key=lambda letter: letter[0].offset):
        headers = letter_headers(_here(batch, record), record.headers, [Rejection(code, "", detail)])
        sent.append(
            await dead_letters.send(key=record.key, value=record.value, headers=headers, partition=batch.partition)
        )
    for stored in sent:
        await stored


def _here(batch: Batch, record: Record) -> Origin:
    return Origin(batch.topic, batch.partition, record.offset, record.timestamp)


def _origin(batch: Batch, record: Record) -> Origin:
    here = _here(batch, record)
    return source_origin(here, record.headers) if record.headers else here
