"""FHIR's interactions are answered as the standard says, and nothing is kept that was refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.operationoutcome import OperationOutcome

from bp_faust.fhir import ParseOptions, Reason, parse
from bp_faust.fhir.interactions import (
    Answer,
    accept_bundle,
    capability_statement,
    create,
    refuse,
    update,
)
from bp_faust.fhir.resources import observation
from bp_faust.models import Reading, Rejection

OPTIONS = ParseOptions()
READABLE = observation("p1", 150, 95, identity="o1", effective="2026-01-01T08:00:00Z")


def ids() -> Callable[[], str]:
    numbers = count(1)
    return lambda: f"new-{next(numbers)}"


def post(resource: Any) -> Answer:
    return create(json.dumps(resource).encode(), OPTIONS, ids())


def post_bundle(kind: str, *resources: Any) -> Answer:
    entries = [{"resource": resource, "request": {"method": "POST", "url": "Observation"}} for resource in resources]
    bundle = {"resourceType": "Bundle", "type": kind, "entry": entries}
    return accept_bundle(json.dumps(bundle).encode(), OPTIONS, ids())


def without(resource: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in resource.items() if key != name}


def test_a_created_observation_is_kept_with_its_id() -> None:
    answer = post({**READABLE, "meta": {"versionId": "3"}})
    assert answer.status == 201
    assert answer.stored == ("o1", "3")
    assert answer.patient_id == "p1"
    assert answer.record is not None
    (kept,) = parse(answer.record)
    assert isinstance(kept, Reading)
    assert (kept.observation_id, kept.systolic, kept.diastolic) == ("o1", 150, 95)
    OperationOutcome.model_validate(answer.resource)


def test_an_observation_without_an_id_is_given_one_and_is_else_unchanged() -> None:
    text = json.dumps(without(READABLE, "id")).replace('"value": 150', '"value": 140.00000000000000000001')
    answer = create(text.encode(), OPTIONS, ids())
    assert answer.stored == ("new-1", None)
    assert answer.record is not None
    assert b"140.00000000000000000001" in answer.record
    (kept,) = parse(answer.record)
    assert isinstance(kept, Reading)
    assert kept.observation_id == "new-1"


@pytest.mark.parametrize(
    ("body", "status", "code", "reason"),
    [
        (b"", 400, "structure", "empty"),
        (b"{", 400, "structure", "not-json"),
        (b"[]", 400, "structure", "not-json"),
        (b'{"resourceType":"Patient"}', 400, "structure", "resource-unsupported"),
        (b'{"patient":{},"observation":{}}', 400, "structure", "resource-unsupported"),
        (b" " * 11_000_000, 413, "too-long", "too-large"),
        (json.dumps(without(READABLE, "status")).encode(), 422, "required", "status-missing"),
        (json.dumps(without(READABLE, "subject")).encode(), 422, "required", "patient-missing"),
        (json.dumps({**READABLE, "component": []}).encode(), 422, "required", "no-value"),
    ],
)
def test_what_cannot_be_read_is_refused_with_an_operation_outcome(
    body: bytes, status: int, code: str, reason: str
) -> None:
    answer = create(body, OPTIONS, ids())
    assert (answer.status, answer.record) == (status, None)
    OperationOutcome.model_validate(answer.resource)
    issue = answer.resource["issue"][0]
    assert (issue["severity"], issue["code"]) == ("error", code)
    assert issue["details"]["coding"][0]["code"] == reason


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_valid_issue(reason: Reason) -> None:
    answer = refuse([Rejection(reason.value, "entry[0].resource.code", reason.meaning)])
    OperationOutcome.model_validate(answer.resource)
    assert answer.resource["issue"][0]["expression"] == ["Bundle.entry[0].resource.code"]
    assert answer.status in {400, 413, 422}


def test_an_update_needs_the_id_of_its_address() -> None:
    body = json.dumps(READABLE).encode()
    assert update("o1", body, OPTIONS).status == 200
    for wrong in (update("o2", body, OPTIONS), update("o1", json.dumps(without(READABLE, "id")).encode(), OPTIONS)):
        assert wrong.status in {400, 422}
        assert wrong.record is None


def test_a_batch_keeps_what_can_be_read_and_tells_the_rest_by_entry() -> None:
    answer = post_bundle(
        "batch", without(READABLE, "id"), without(READABLE, "status"), {"resourceType": "Patient", "id": "p1"}
    )
    Bundle.model_validate(answer.resource)
    assert answer.status == 200
    assert answer.resource["type"] == "batch-response"
    statuses = [entry["response"]["status"] for entry in answer.resource["entry"]]
    assert statuses == ["201", "422", "202"]
    assert answer.resource["entry"][0]["response"]["location"] == "Observation/new-1"
    assert answer.record is not None
    kept = [outcome for outcome in parse(answer.record) if isinstance(outcome, Reading)]
    assert [reading.observation_id for reading in kept] == ["new-1"]


def test_what_a_batch_deletes_is_not_told_to_be_left_out() -> None:
    entries = [
        {"resource": READABLE, "request": {"method": "PUT", "url": "Observation/o1"}},
        {"request": {"method": "DELETE", "url": "Observation/o1"}},
        {"request": {"method": "DELETE", "url": "Observation/o2"}},
        {"request": {"method": "DELETE", "url": "Patient/p1"}},
        {"resource": {"resourceType": "Patient"}, "request": None},
    ]
    body = json.dumps({"resourceType": "Bundle", "type": "batch", "entry": entries}).encode()
    answer = accept_bundle(body, OPTIONS, ids())
    Bundle.model_validate(answer.resource)
    statuses = [entry["response"]["status"] for entry in answer.resource["entry"]]
    assert statuses == ["201", "204", "422", "202", "202"]


def test_a_transaction_is_kept_whole_or_not_at_all() -> None:
    refused = post_bundle("transaction", READABLE, without(READABLE, "status"))
    assert (refused.status, refused.record) == (422, None)
    OperationOutcome.model_validate(refused.resource)
    kept = post_bundle("transaction", READABLE)
    assert kept.status == 200
    assert kept.record is not None
    assert kept.resource["type"] == "transaction-response"


def test_other_bundles_are_answered_with_an_operation_outcome() -> None:
    answer = post_bundle("collection", READABLE, without(READABLE, "status"))
    OperationOutcome.model_validate(answer.resource)
    assert (answer.status, answer.record is not None) == (200, True)
    assert [issue["severity"] for issue in answer.resource["issue"]] == ["warning", "information"]
    refused = post_bundle("collection", without(READABLE, "status"))
    assert (refused.status, refused.record) == (422, None)


def test_a_subscriptions_heartbeat_is_answered_and_not_kept() -> None:
    status = {"resourceType": "SubscriptionStatus", "type": "heartbeat"}
    bundle = {"resourceType": "Bundle", "type": "history", "entry": [{"resource": status}]}
    answer = accept_bundle(json.dumps(bundle).encode(), OPTIONS, ids())
    assert (answer.status, answer.record) == (200, None)


def test_the_capability_statement_is_valid_and_names_what_is_there() -> None:
    statement = capability_statement("http://localhost:6066/fhir", "1.0", "2026-01-01")
    CapabilityStatement.model_validate(statement)
    (rest,) = statement["rest"]
    assert {one["code"] for one in rest["resource"][0]["interaction"]} == {"create", "update"}
    assert {one["code"] for one in rest["interaction"]} == {"batch", "transaction"}
