"""Decide how a FHIR server answers what it is sent: create, update, batch and transaction (http://hl7.org/fhir/R4/http.html).

An answer says what is to be put on the ingest topic before it may be given.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import msgspec

from bp_faust.fhir.bundles import observation_id
from bp_faust.fhir.documents import unwrap
from bp_faust.fhir.options import ParseOptions
from bp_faust.fhir.parsing import parse
from bp_faust.fhir.reasons import BY_CODE, Reason
from bp_faust.fhir.refusals import RefusedError
from bp_faust.models import Reading, Rejection

#: Makes an id for an Observation that has none.
NewId = Callable[[], str]

_Object = dict[str, msgspec.Raw]


class _Request(msgspec.Struct, gc=False):
    method: object = None
    url: object = None


_decode_object = msgspec.json.Decoder(_Object).decode
_decode_entries = msgspec.json.Decoder(list[_Object]).decode
_decode_request = msgspec.json.Decoder(_Request | None).decode
_decode_text = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode

_ENTRY = re.compile(r"entry\[(\d+)\]")

_STRUCTURE = {
    Reason.EMPTY,
    Reason.GZIP_BROKEN,
    Reason.NOT_UTF8,
    Reason.NOT_JSON,
    Reason.TOO_DEEP,
    Reason.SHAPE_INVALID,
    Reason.RESOURCE_UNSUPPORTED,
}
#: Codes of http://hl7.org/fhir/R4/valueset-issue-type.html; what is not here is ``structure`` or ``invalid``.
_ISSUE_TYPES = {
    Reason.TOO_LARGE: "too-long",
    Reason.NOTHING_INSIDE: "required",
    Reason.CHANGE_UNSUPPORTED: "not-supported",
    Reason.MODIFIER_UNKNOWN: "extension",
    Reason.NOT_BLOOD_PRESSURE: "not-supported",
    Reason.AVERAGE: "not-supported",
    Reason.AMBIGUOUS: "invariant",
    Reason.STATUS_MISSING: "required",
    Reason.STATUS_UNKNOWN: "code-invalid",
    Reason.ID_INVALID: "value",
    Reason.ID_MISSING: "required",
    Reason.PATIENT_MISSING: "required",
    Reason.PATIENT_MISMATCH: "business-rule",
    Reason.SUBJECT_NOT_PATIENT: "not-supported",
    Reason.NO_VALUE: "required",
    Reason.VALUE_MISSING: "required",
    Reason.VALUE_TYPE: "value",
    Reason.VALUE_NOT_NUMERIC: "value",
    Reason.COMPARATOR_UNKNOWN: "code-invalid",
    Reason.UNIT_UNKNOWN: "code-invalid",
    Reason.TIME_INVALID: "value",
}


class Answer(NamedTuple):
    """Hold an HTTP answer, and what must be on the ingest topic before it is given."""

    status: int
    resource: dict[str, Any]
    #: The record for the ingest topic, None where there is nothing to keep.
    record: bytes | None = None
    #: Whose reading the record is, None where there may be several.
    patient_id: str | None = None
    #: The id and the version of the one Observation that was stored.
    stored: tuple[str, str | None] | None = None


def create(body: bytes, options: ParseOptions, new_id: NewId) -> Answer:
    """Answer ``POST [base]/Observation``; an Observation keeps its id, so that sending it twice counts it once."""
    return _keep(body, options, new_id, 201)


def update(identity: str, body: bytes, options: ParseOptions) -> Answer:
    """Answer ``PUT [base]/Observation/[id]``."""

    def no_new_id() -> str:
        raise RefusedError(Reason.ID_MISSING, "id", "An update's Observation has the id of its URL.")

    answer = _keep(body, options, no_new_id, 200)
    if answer.stored is not None and answer.stored[0] != identity:
        return refuse([Rejection(Reason.ID_INVALID.value, "id", "The Observation's id is not that of the URL.")], 400)
    return answer


def _keep(body: bytes, options: ParseOptions, new_id: NewId, status: int) -> Answer:
    try:
        document = _resource(body, "Observation", options, "This takes an Observation; POST a Bundle to /fhir.")
        outcomes = parse(body, options)
        rejections = [outcome for outcome in outcomes if isinstance(outcome, Rejection)]
        if rejections:
            return refuse(rejections)
        (reading,) = (outcome for outcome in outcomes if isinstance(outcome, Reading))
        identity, record = _with_id(document, new_id)
    except RefusedError as refused:
        return refuse([refused.rejection()])
    told = _outcome([_issue("information", "informational", _said(reading))])
    return Answer(status, told, record, reading.patient_id, (identity, reading.version))


def accept_bundle(body: bytes, options: ParseOptions, new_id: NewId) -> Answer:
    """Answer ``POST [base]`` with a Bundle.

    A transaction is kept whole or not at all. Of a batch, and of the Bundles that subscriptions and messages send, what
    can be read is kept; the rest is told, and will be a dead letter. A heartbeat is answered and not kept.
    """
    try:
        detail = "This takes a Bundle; POST an Observation to /fhir/Observation."
        document = _resource(body, "Bundle", options, detail)
        outcomes = parse(body, options)
        entries = _decode_entries(document.get("entry") or b"[]")
        identities = _name(entries, new_id)
    except RefusedError as refused:
        return refuse([refused.rejection()])
    except msgspec.DecodeError:
        return refuse([Rejection(Reason.SHAPE_INVALID.value, "entry", Reason.SHAPE_INVALID.meaning)])
    kind = _text(document.get("type"))
    rejections = [outcome for outcome in outcomes if isinstance(outcome, Rejection)]
    if rejections and (kind == "transaction" or (len(rejections) == len(outcomes) and kind != "batch")):
        return refuse(rejections)
    kept = len(rejections) < len(outcomes)
    record = _encode({**document, "entry": entries}) if kept else None
    if kind in ("batch", "transaction"):
        return Answer(200, _responses(kind, entries, identities, rejections), record)
    issues = [_problem("warning", rejection) for rejection in rejections]
    issues.append(_issue("information", "informational", f"{len(outcomes) - len(rejections)} readings accepted."))
    return Answer(200, _outcome(issues), record)


def refuse(rejections: Iterable[Rejection], status: int | None = None) -> Answer:
    """Answer with an OperationOutcome; without a status, with that of the first reason."""
    rejections = list(rejections)
    return Answer(
        status or _status(rejections[0]), _outcome([_problem("error", rejection) for rejection in rejections])
    )


def failure(status: int, code: str, text: str) -> Answer:
    """Answer with an OperationOutcome of one error, ``code`` being one of FHIR's issue types."""
    return Answer(status, _outcome([_issue("error", code, text)]))


def capability_statement(url: str, version: str, date: str) -> dict[str, Any]:
    """Return what is offered below ``url``, as a CapabilityStatement of R4 (http://hl7.org/fhir/R4/capabilitystatement.html)."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": date,
        "kind": "instance",
        "software": {"name": "bp_faust", "version": version},
        "implementation": {"description": "Takes blood-pressure readings; returns none.", "url": url},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json"],
        "rest": [
            {
                "mode": "server",
                "documentation": "Observations are put on a Kafka topic and judged there; they cannot be read back.",
                "security": {"description": "Authorization: Bearer, with the token that the operator gave."},
                "resource": [
                    {
                        "type": "Observation",
                        "supportedProfile": ["http://hl7.org/fhir/StructureDefinition/bp"],
                        "interaction": [{"code": "create"}, {"code": "update"}],
                        "versioning": "no-version",
                        "readHistory": False,
                        "updateCreate": True,
                    }
                ],
                "interaction": [{"code": "transaction"}, {"code": "batch"}],
            }
        ],
    }


def _resource(body: bytes, kind: str, options: ParseOptions, detail: str) -> _Object:
    try:
        document = _decode_object(unwrap(body, options.max_bytes))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedError(Reason.NOT_JSON, "", "The body is not a JSON object.") from error
    if _text(document.get("resourceType")) != kind:
        raise RefusedError(Reason.RESOURCE_UNSUPPORTED, "resourceType", detail)
    return document


def _text(raw: msgspec.Raw | None) -> str | None:
    try:
        return _decode_text(raw) if raw is not None else None
    except msgspec.DecodeError:
        return None


def _with_id(document: _Object, new_id: NewId) -> tuple[str, bytes]:
    identity = _text(document.get("id"))
    if identity is None:
        identity = new_id()
        document = {**document, "id": msgspec.Raw(_encode(identity))}
    return identity, _encode(document)


def _name(entries: list[_Object], new_id: NewId) -> list[str | None]:
    """Give an id to each Observation that has none; return the ids of all entries, None of what is no Observation."""
    identities: list[str | None] = []
    for entry in entries:
        identity = None
        if entry.get("resource"):
            resource = _decode_object(entry["resource"])
            if _text(resource.get("resourceType")) == "Observation":
                identity, text = _with_id(resource, new_id)
                entry["resource"] = msgspec.Raw(text)
        identities.append(identity)
    return identities


def _responses(
    kind: str, entries: list[_Object], identities: list[str | None], rejections: list[Rejection]
) -> dict[str, Any]:
    refused: dict[int, Rejection] = {}
    for rejection in rejections:
        match = _ENTRY.match(rejection.path)
        if match is not None:
            refused.setdefault(int(match[1]), rejection)
    return {
        "resourceType": "Bundle",
        "type": f"{kind}-response",
        "entry": [
            {"response": _response(entry, identity, refused.get(index))}
            for index, (entry, identity) in enumerate(zip(entries, identities, strict=True))
        ],
    }


def _response(entry: _Object, identity: str | None, rejection: Rejection | None) -> dict[str, Any]:
    if rejection is not None:
        return {"status": str(_status(rejection)), "outcome": _outcome([_problem("error", rejection)])}
    if _deletes_observation(entry):
        return {"status": "204"}
    if identity is None:
        text = "Not kept: it is no Observation."
        return {"status": "202", "outcome": _outcome([_issue("information", "informational", text)])}
    return {"status": "201", "location": f"Observation/{identity}"}


def _deletes_observation(entry: _Object) -> bool:
    request = _decode_request(entry.get("request") or b"null")
    return request is not None and request.method == "DELETE" and observation_id(request.url) is not None


def _status(rejection: Rejection) -> int:
    reason = BY_CODE[rejection.reason]
    if reason is Reason.TOO_LARGE:
        return 413
    return 400 if reason in _STRUCTURE else 422


def _outcome(issues: list[dict[str, Any]]) -> dict[str, Any]:
    return {"resourceType": "OperationOutcome", "issue": issues}


def _issue(severity: str, code: str, text: str) -> dict[str, Any]:
    return {"severity": severity, "code": code, "diagnostics": text}


def _problem(severity: str, rejection: Rejection) -> dict[str, Any]:
    reason = BY_CODE[rejection.reason]
    code = _ISSUE_TYPES.get(reason, "structure" if reason in _STRUCTURE else "invalid")
    issue = {
        **_issue(severity, code, f"{rejection.detail} {reason.remedy}"),
        "details": {"coding": [{"code": rejection.reason}], "text": rejection.detail},
    }
    if rejection.path and rejection.path != "$":
        holder = "Bundle" if _ENTRY.match(rejection.path) else "Observation"
        issue["expression"] = [f"{holder}.{rejection.path}"]
    return issue


def _said(reading: Reading) -> str:
    pressures = (("systolic", reading.systolic), ("diastolic", reading.diastolic))
    return "Accepted: " + ", ".join(f"{name} {value:g} mmHg" for name, value in pressures if value is not None)
