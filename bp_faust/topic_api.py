"""Describe the topics, and what their records hold, as an AsyncAPI document."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Literal, NamedTuple

from faust.types import TopicT
from msgspec import Struct

from bp_faust import topics
from bp_faust.audit import Action, Actor, Stamp
from bp_faust.clinical.judgement import Finding
from bp_faust.models import AlertEvent, Anomaly, PatientSettings, Refusal
from bp_faust.schemas import schemas_of
from bp_faust.views.answers import FhirResource

_JSON = "application/json"


class Envelope(Struct):
    """Hold a patient and an Observation of theirs."""

    patient: FhirResource
    observation: FhirResource


def _ours(field: str) -> str:
    return f"bp_faust.{field}"


class LetterHeaders(Struct, rename=_ours):
    """Say where a dead letter first came in, and why it could not be used.

    The last three come once for each reason that is named, in this order; all of them are text in UTF-8.
    """

    topic: str
    partition: str
    offset: str
    #: Kafka's, in milliseconds since 1970.
    timestamp: str
    #: How many reasons there are; at most 20 are named.
    rejections: str
    reason: str
    path: str
    detail: str


class SinceHeaders(Struct, rename=_ours):
    """Say when the oldest reading came in of those that were worked on together; on the first record that they made."""

    #: The ingest topic's timestamp, in milliseconds since 1970, as text.
    since: str | None = None


class ReplayNoteHeaders(Struct, rename=_ours):
    """Say that a record is no dead letter, but a note of which were sent again.

    Its value is a JSON list of where they first came in, as topic/partition/offset.
    """

    #: Empty.
    replayed: str


class Channel(NamedTuple):
    """Hold what is to be known of a topic."""

    topic: TopicT
    #: The document's name of it.
    name: str
    summary: str
    #: What the worker does with it; what it both writes and reads is for those who read.
    action: Literal["send", "receive"]
    #: What a record's key is, as a sentence.
    key: str
    #: The types of the value, none where it is not JSON.
    value: tuple[Any, ...] = ()
    #: Whether a value is of one of them, or has the fields of all.
    combined: Literal["anyOf", "allOf"] = "anyOf"
    #: The types of our own headers, of which a record has those of one.
    headers: tuple[type[Struct], ...] = ()
    content_type: str = _JSON


_PATIENTS_ID = "The patient's id."

CHANNELS = (
    Channel(
        topics.readings,
        "readings",
        "Readings as FHIR: an envelope, an Observation or a Bundle; may be gzipped.",
        "receive",
        "Any, or none.",
        (Envelope, FhirResource),
    ),
    Channel(
        topics.dead_letters,
        "deadLetters",
        "Records that could not be used, key and value unchanged, with headers of ours; notes of what was sent again.",
        "send",
        "The record's own.",
        headers=(LetterHeaders, ReplayNoteHeaders),
        content_type="application/octet-stream",
    ),
    Channel(
        topics.told_refusals,
        "refusals",
        "That records were refused, each once; nothing unless they are to be in Elasticsearch.",
        "send",
        "None.",
        (Refusal,),
    ),
    Channel(
        topics.patient_readings,
        "patientReadings",
        "Readings on their way between agents. For workers only: the encoding changes with the version.",
        "send",
        "What the value is of.",
        content_type="application/octet-stream",
    ),
    Channel(
        topics.anomalies,
        "anomalies",
        "Anomalous readings, and with anomaly_type null those that are not any more.",
        "send",
        _PATIENTS_ID,
        (Anomaly,),
        headers=(SinceHeaders,),
    ),
    Channel(
        topics.alerts, "alerts", "What became of alerts.", "send", _PATIENTS_ID, (AlertEvent,), headers=(SinceHeaders,)
    ),
    Channel(
        topics.fhir_resources,
        "fhirResources",
        "Averages (Observations) and alerts (Flags and Communications) as FHIR, with BP_FAUST_FHIR_OUTPUT.",
        "send",
        _PATIENTS_ID,
        (FhirResource,),
        content_type="application/fhir+json",
    ),
    Channel(
        topics.patient_settings,
        "patientSettings",
        "What is set for patients and cohorts: the last record of each key, with no value nothing any more.",
        "receive",
        "patient/<id> or cohort/<name>.",
        (PatientSettings | None,),
    ),
    Channel(
        topics.audit,
        "audit",
        "Who changed settings, acknowledged an alert or replayed dead letters.",
        "send",
        "patient/<id> or cohort/<name>; none where it is about no one of them.",
        (Stamp, Action, Actor),
        "allOf",
    ),
)


def describe_topics() -> dict[str, Any]:
    """Return the AsyncAPI document of all topics."""
    # An anomaly's findings are encoded beforehand, so that their type cannot be seen in its own.
    schemas, components = schemas_of([*(one for channel in CHANNELS for one in _types(channel)), Finding])
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "bp_faust",
            "version": version("bp_faust"),
            "description": "What workers read from Kafka and write to it. Records are written in transactions: read "
            "committed ones only.",
            "license": {"name": "MIT"},
        },
        "defaultContentType": _JSON,
        "channels": {channel.name: _channel(channel) for channel in CHANNELS},
        "operations": {f"{one.action}-{one.name}": _operation(one) for one in CHANNELS},
        "components": {
            "messages": {channel.name: _message(channel, schemas) for channel in CHANNELS},
            "schemas": components,
        },
    }


def _types(channel: Channel) -> list[Any]:
    return [*channel.value, *channel.headers]


def _channel(channel: Channel) -> dict[str, Any]:
    return {
        "address": channel.topic.get_topic_name(),
        "summary": channel.summary,
        "messages": {"record": {"$ref": f"#/components/messages/{channel.name}"}},
    }


def _operation(channel: Channel) -> dict[str, Any]:
    return {"action": channel.action, "channel": {"$ref": f"#/channels/{channel.name}"}}


def _message(channel: Channel, schemas: Mapping[Any, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {
        "summary": channel.summary,
        "contentType": channel.content_type,
        "bindings": {"kafka": {"key": {"type": "string", "description": channel.key}}},
    }
    if channel.headers:
        message["headers"] = {"type": "object", "anyOf": [schemas[one] for one in channel.headers]}
    if len(channel.value) == 1:
        message["payload"] = schemas[channel.value[0]]
    elif channel.value:
        message["payload"] = {channel.combined: [schemas[one] for one in channel.value]}
    return message
