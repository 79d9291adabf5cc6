"""Bundles of every type: what each entry holds, whose it is, and what is deleted."""

from __future__ import annotations

from typing import Any

import pytest

from bp_faust.models import Reading, Rejection
from tests.fhir_records import LOINC, bundle, concept, observation, parse, quantity

URN = "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"
PATIENT = {"resourceType": "Patient", "id": "p1"}


def entry(resource: Any = None, **others: Any) -> dict[str, Any]:
    built = {"resource": resource, **others}
    return {name: member for name, member in built.items() if member is not None}


def outcomes(record: Any) -> list[tuple[Any, ...]]:
    """Return patient, id, status and systolic pressure of readings, reason and path of refusals."""
    return [
        (found.patient_id, found.observation_id, found.status, found.systolic)
        if isinstance(found, Reading)
        else (found.reason, found.path)
        for found in parse(record)
    ]


@pytest.mark.parametrize(
    "kind",
    [
        "collection",
        "batch",
        "transaction",
        "message",
        "searchset",
        "history",
        "document",
        "batch-response",
        "transaction-response",
        "subscription-notification",
    ],
)
def test_every_observation_of_a_bundle_is_read_in_its_order(kind: str) -> None:
    record = bundle(
        kind,
        entry({"resourceType": "MessageHeader"}),
        entry(PATIENT),
        entry(observation(200, id="a"), request={"method": "POST", "url": "Observation"}),
        entry(observation("?", id="b"), request={"method": "PUT", "url": "Observation/b"}),
        entry(observation(code=concept((LOINC, "8867-4")), component=None, valueQuantity=quantity(70))),
        entry(observation(110, id="c"), search={"mode": "match"}),
    )
    assert outcomes(record) == [
        ("p1", "a", "final", 200.0),
        ("value-not-numeric", "entry[3].resource.component[0].valueQuantity.value"),
        ("not-blood-pressure", "entry[4].resource.code"),
        ("p1", "c", "final", 110.0),
    ]


def test_a_patients_birth_date_is_that_of_the_bundles_patient_of_this_id() -> None:
    patients = [{**PATIENT, "id": "p2", "birthDate": "1940"}, {**PATIENT, "birthDate": "soon"}]
    patients += [{**PATIENT, "birthDate": "1950"}, {"resourceType": "Person", "id": "p3", "birthDate": "1960"}]
    others = [observation(subject={"reference": f"Patient/{whose}"}) for whose in ("p1", "p2", "p3")]
    for url in (None, "urn:uuid:{}"):
        entries = [entry(one, fullUrl=url and url.format(index)) for index, one in enumerate([*others, *patients])]
        found = [one for one in parse(bundle("collection", *entries)) if isinstance(one, Reading)]
        assert [one.birth_date for one in found] == ["1950", "1940", None]


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        (PATIENT, "p1"),
        ({"resourceType": "Patient"}, URN.removeprefix("urn:uuid:")),
    ],
)
def test_a_urn_is_resolved_to_the_entry_of_that_full_url(resource: Any, expected: str) -> None:
    inner = observation(subject={"reference": URN})
    record = bundle("transaction", entry(inner), entry(resource, fullUrl=URN))
    assert outcomes(record) == [(expected, "o1", "final", 120.0)]


def test_a_urn_that_is_no_patient_is_refused() -> None:
    inner = observation(subject={"reference": URN})
    record = bundle("transaction", entry({"resourceType": "Device", "id": "d"}, fullUrl=URN), entry(inner))
    assert outcomes(record) == [("subject-not-patient", "entry[1].resource.subject.reference")]


def test_a_urn_without_entry_stands_for_itself() -> None:
    record = bundle("collection", entry(observation(subject={"reference": URN})))
    assert outcomes(record) == [(URN.removeprefix("urn:uuid:"), "o1", "final", 120.0)]


@pytest.mark.parametrize(
    ("request_", "response", "version"),
    [
        ({"method": "DELETE", "url": "Observation/o1"}, {"etag": 'W/"7"', "lastModified": "2012-07-02"}, "7"),
        ({"method": "DELETE", "url": "https://fhir.example.org/Observation/o1"}, {"etag": '"7"'}, "7"),
        ({"method": "DELETE", "url": "Observation/o1", "ifMatch": 'W/"9"'}, None, "10"),
        ({"method": "DELETE", "url": "Observation/o1"}, None, "3"),
    ],
)
def test_a_deletion_takes_the_observation_back_as_its_latest_version(
    request_: Any, response: Any, version: str
) -> None:
    former = observation(meta={"versionId": "2"})
    found = parse(bundle("history", entry(request=request_, response=response), entry(former)))
    assert [(type(outcome), outcome.status) for outcome in found if isinstance(outcome, Reading)] == [
        (Reading, "entered-in-error"),
        (Reading, "final"),
    ]
    assert isinstance(found[0], Reading)
    assert (found[0].patient_id, found[0].observation_id, found[0].version) == ("p1", "o1", version)
    assert found[0].last_updated == (1341187200.0 if response and "lastModified" in response else None)


def test_a_deletion_with_its_resource_takes_that_back() -> None:
    record = bundle("history", entry(observation(), request={"method": "DELETE", "url": "Observation/o1"}))
    assert outcomes(record) == [("p1", "o1", "entered-in-error", None)]


@pytest.mark.parametrize(
    ("method", "url", "reason"),
    [
        ("DELETE", "Observation/o9", "patient-missing"),
        ("DELETE", "Observation?identifier=1", "change-unsupported"),
        ("PATCH", "Observation/o1", "change-unsupported"),
    ],
)
def test_a_change_that_cannot_be_followed_is_refused(method: str, url: str, reason: str) -> None:
    record = bundle("transaction", entry(request={"method": method, "url": url}))
    assert outcomes(record) == [(reason, "entry[0].request.url")]


def test_a_deletion_of_something_else_is_none_of_ours() -> None:
    record = bundle("transaction", entry(request={"method": "DELETE", "url": "Device/d1"}), entry(observation()))
    assert outcomes(record) == [("p1", "o1", "final", 120.0)]


@pytest.mark.parametrize("status", [{"resourceType": "SubscriptionStatus"}, {"resourceType": "Parameters"}])
def test_a_subscription_notification_is_read_and_its_heartbeat_is_nothing(status: Any) -> None:
    request = {"method": "PUT", "url": "Observation/o1"}
    assert outcomes(bundle("history", entry(status), entry(observation(), request=request))) == [
        ("p1", "o1", "final", 120.0)
    ]
    assert outcomes(bundle("history", entry(status))) == []


def test_a_notification_of_ids_alone_is_refused() -> None:
    told = entry(fullUrl="https://fhir.example.org/Observation/o1")
    assert outcomes(bundle("history", entry({"resourceType": "SubscriptionStatus"}), told)) == [
        ("nothing-inside", "entry[1]")
    ]


@pytest.mark.parametrize(
    "record",
    [
        bundle("collection"),
        {"resourceType": "Bundle"},
        bundle("collection", entry(PATIENT)),
        bundle("batch", entry(request={"method": "GET", "url": "Observation/o1"})),
    ],
)
def test_a_bundle_without_observation_is_refused(record: Any) -> None:
    assert outcomes(record) == [("nothing-inside", "entry")]


def test_a_broken_entry_spoils_no_other() -> None:
    record = bundle(
        "collection",
        entry(7),
        entry({}),
        entry(bundle("collection")),
        entry(observation(), request=[]),
        entry(request={"method": "DELETE", "url": 7}),
        entry(observation()),
    )
    assert outcomes(record) == [
        ("shape-invalid", "entry[0].resource"),
        ("resource-unsupported", "entry[1].resource.resourceType"),
        ("resource-unsupported", "entry[2].resource"),
        ("shape-invalid", "entry[3].request"),
        ("shape-invalid", "entry[4].request.url"),
        ("p1", "o1", "final", 120.0),
    ]


@pytest.mark.parametrize(("entries", "path"), [({}, "entry"), ([7], "entry[0]"), ([None], "entry[0]")])
def test_a_bundle_whose_entries_are_none_is_refused(entries: Any, path: str) -> None:
    assert outcomes({"resourceType": "Bundle", "entry": entries}) == [("shape-invalid", path)]


def test_only_the_first_refusals_of_a_bundle_are_explained() -> None:
    found = parse(bundle("collection", *[entry(observation("?")) for _ in range(20)]))
    details = [outcome.detail for outcome in found if isinstance(outcome, Rejection)]
    assert len(details) == 20
    assert ["as FHIR" in detail for detail in details] == [True] * 10 + [False] * 10


def test_an_etag_that_cannot_travel_on_is_no_version() -> None:
    former = {"resource": observation(meta={"versionId": "6"})}
    for etag in ('W/"' + "1" * 257 + '"', 'W/"a	b"'):
        gone = {"request": {"method": "DELETE", "url": "Observation/o1"}, "response": {"etag": etag}}
        last = parse(bundle("history", former, gone))[-1]
        assert isinstance(last, Reading)
        assert last.version == "7"


def test_very_many_deletions_of_one_observation_are_read_to_the_end() -> None:
    """Each deletion used to look through all versions in the Bundle, which grows with the square of their number."""
    version = {"resource": observation(meta={"versionId": "6"})}
    deletion = {"request": {"method": "DELETE", "url": "Observation/o1"}}
    found = parse(bundle("history", *[version] * 10_000, *[deletion] * 10_000), validation="off")
    assert len(found) == 20_000
    last = found[-1]
    assert isinstance(last, Reading)
    assert (last.patient_id, last.status, last.version) == ("p1", "entered-in-error", "7")
