"""Read readings, follow patients, count what is refused: agents that are joined by topics."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from zoneinfo import ZoneInfo

import msgspec

from bp_faust import fhir
from bp_faust.app import app, settings
from bp_faust.clinical.times import timestamp
from bp_faust.dead_letters.letters import (
    first_place_of,
    is_replay_note,
    letter_headers,
    place_of,
    read_letter,
    read_replay_note,
)
from bp_faust.dead_letters.reasons import SETTINGS_INVALID
from bp_faust.dead_letters.refusal_log import refusal_log
from bp_faust.engine.batches import Batch, Effects
from bp_faust.engine.partitioner import partition_of
from bp_faust.models import Reading, Refusal, Rejection
from bp_faust.patient_batch import PatientBatch
from bp_faust.patient_settings import PatientSettingsError, read_setting
from bp_faust.settings.reading import read_judges
from bp_faust.signals import SIGNAL_KEY, SetPatient, Signal, signals
from bp_faust.tables import patients, reason_key, refusal_counts, refusals, refused_up_to_key, replayed_key
from bp_faust.telemetry import metrics
from bp_faust.topics import (
    dead_letters,
    patient_readings,
    patient_settings,
    reading_batches,
    readings,
    told_refusals,
)

#: How many readings a record of our own topic holds at most: about 50 kB.
_READINGS_PER_RECORD = 500

#: How many refused records of a batch fhir.resources explains at most: it takes longer than all else.
_MOST_EXPLAINED = 50

_judges = read_judges(settings)
_AVERAGES_ZONE = ZoneInfo(settings.default_time_zone) if settings.fhir_output else None
_PARSE_OPTIONS = settings.parse_options()
_UNEXPLAINED = replace(_PARSE_OPTIONS, validation="off") if _PARSE_OPTIONS.validation == "rejects" else _PARSE_OPTIONS


@app.transactional_agent(readings)
def intake(batch: Batch, effects: Effects) -> None:
    """Turn anyone's records into readings, by patient, and put aside what is none."""
    partitions = app.conf.topic_partitions
    by_partition: dict[int, list[Reading]] = defaultdict(list)
    options, refused = _PARSE_OPTIONS, 0
    for record in batch.records:
        origin = first_place_of(batch, record)
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
                headers=letter_headers(place_of(batch, record), record.headers, rejections),
            )
            for rejection in rejections:
                metrics.REFUSALS.labels(rejection.reason).inc()
            refusal_log.note(place_of(batch, record), {rejection.reason for rejection in rejections})
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
    known.add_to(effects, batch.since)


@app.transactional_agent(patient_settings)
def apply_settings(batch: Batch, effects: Effects) -> None:
    """Pass what is set for patients and cohorts on to where their state is."""
    partitions = app.conf.topic_partitions
    for record in batch.records:
        try:
            signal = read_setting(record.key, record.value, record.timestamp / 1000)
        except PatientSettingsError as exc:
            rejection = Rejection(SETTINGS_INVALID, "", str(exc))
            headers = letter_headers(place_of(batch, record), record.headers, [rejection])
            refusal_log.note(place_of(batch, record), [SETTINGS_INVALID])
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
    """Count refused records by reason, and tell of them, each once.

    A topic's partition is refused in order, but for replays.
    """
    records = [record for record in batch.records if not is_replay_note(record.headers)]
    letters = [read_letter(place_of(batch, record), record.key, record.value, record.headers) for record in records]
    for note in batch.records:
        if is_replay_note(note.headers):
            when = refusal_counts.encode(note.timestamp)
            effects.changes.update((replayed_key(origin), when) for origin in read_replay_note(note.value))
    keys = {refused_up_to_key(letter.origin.topic, letter.origin.partition) for letter in letters}
    keys |= {reason_key(reason) for letter in letters for reason in letter.reasons}
    before = {
        key: refusal_counts.decode(value) if value is not None else 0
        for key, value in zip(keys, refusals.store.get_many(batch.partition, list(keys)), strict=True)
    }
    known = dict(before)
    for record, letter in zip(records, letters, strict=True):
        up_to = refused_up_to_key(letter.origin.topic, letter.origin.partition)
        if letter.origin.offset >= known[up_to]:
            known[up_to] = letter.origin.offset + 1
            for reason in letter.reasons:
                known[reason_key(reason)] += 1
            if settings.elasticsearch_refusals_index:
                topic, partition, offset, _ = letter.origin
                refused_at = timestamp(record.timestamp / 1000)
                refusal = Refusal(topic, partition, offset, letter.reasons, letter.rejected, refused_at)
                effects.send(told_refusals.get_topic_name(), batch.partition, msgspec.json.encode(refusal))
    effects.changes.update((key, refusal_counts.encode(count)) for key, count in known.items() if count != before[key])
