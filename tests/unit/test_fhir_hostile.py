"""Whatever the bytes, parse returns, and says what they are."""

from __future__ import annotations

import gzip
import json
import os
import tracemalloc

import pytest

from bp_faust import fhir
from bp_faust.models import PatientSettings, Reading, Rejection
from bp_faust.patient_settings import PatientSettingsError, check
from tests.fhir_records import envelope, observation

MEGABYTE = 1024 * 1024
RAW = json.dumps(envelope()).encode()


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "empty"),
        (b" \r\n\t", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (gzip.compress(b"", mtime=0), "empty"),
        (b"{", "not-json"),
        (b"{'a': 1}", "not-json"),
        (RAW + b"}", "not-json"),
        (RAW + RAW, "not-json"),
        (RAW[:-1], "not-json"),
        (b"\x00" * 100, "not-json"),
        (b'{"a": 01}', "not-json"),
        (b'{"a": "\\ud800"}', "not-json"),
        (b'{"a": NaN', "not-json"),
        (RAW.decode().encode("utf-16"), "not-utf8"),
        (RAW.replace(b"p1", b"p\xff"), "not-utf8"),
        (RAW.replace(b"{", b'{"note": "\xed\xa0\x80", ', 1), "not-utf8"),
        (RAW.replace(b"{", b'{"note": "\xc0\x80", ', 1), "not-utf8"),
        (b"\x1f\x8b", "gzip-broken"),
        (gzip.compress(RAW)[:-1], "gzip-broken"),
        (gzip.compress(RAW)[:-8] + bytes(8), "gzip-broken"),
        (gzip.compress(RAW) + b"tail", "gzip-broken"),
        (gzip.compress(gzip.compress(RAW)), "not-utf8"),
        (b"[" * 100_000, "too-deep"),
        (b'{"a":' * 100_000, "too-deep"),
        (b'{"observation":' + b"[" * 100_000, "too-deep"),
        (b"[" * 100_000 + b"]" * 100_000, "too-deep"),
        (b'{"resourceType":"Bundle","entry":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "too-deep"),
    ],
)
def test_what_is_no_json_object_says_why(raw: bytes, reason: str) -> None:
    (found,) = fhir.parse(raw)
    assert isinstance(found, Rejection)
    assert (found.reason, found.path) == (reason, "$")


def test_a_value_nested_ever_deeper_is_read_or_too_deep() -> None:
    for depth in (10, 100, 400, 1000, 5000):
        nested = b'{"x":' * depth + b"1" + b"}" * depth
        (found,) = fhir.parse(RAW.replace(b'"status"', b'"extension": ' + nested + b', "status"'))
        assert isinstance(found, Reading) or found.reason == "too-deep"


@pytest.mark.parametrize("bomb", [b"0", b" ", b"["])
def test_fifty_megabytes_and_their_gzip_are_too_large_at_little_memory(bomb: bytes) -> None:
    plain = bomb * (50 * MEGABYTE)
    zipped = gzip.compress(plain, 1)
    for raw in (plain, zipped):
        tracemalloc.start()
        (found,) = fhir.parse(raw)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert isinstance(found, Rejection)
        assert found.reason == "too-large"
        assert peak < 40 * MEGABYTE


def test_many_small_gzip_members_are_bounded_by_the_same_limit() -> None:
    raw = gzip.compress(b" " * 2000) * 1000
    (found,) = fhir.parse(raw, fhir.ParseOptions(max_bytes=MEGABYTE))
    assert isinstance(found, Rejection)
    assert found.reason == "too-large"


def test_a_record_of_very_many_gzip_members_is_refused_before_it_takes_endless_time() -> None:
    (found,) = fhir.parse(gzip.compress(b"", mtime=0) * 100_000 + gzip.compress(RAW))
    assert isinstance(found, Rejection)
    assert found.reason == "too-large"
    assert isinstance(fhir.parse(gzip.compress(b" ") * 100 + gzip.compress(RAW))[0], Reading)


@pytest.mark.parametrize("status", [{}, [], {"a": {}}, [[]]])
@pytest.mark.parametrize("code", [None, {}])
def test_a_status_that_is_no_text_is_refused(status: object, code: object) -> None:
    (found,) = fhir.parse(json.dumps(envelope({"status": status, "code": code})).encode())
    assert isinstance(found, Rejection)


@pytest.mark.parametrize("kind", [{}, [], [{}]])
def test_a_bundle_whose_first_entry_has_no_type_of_text_is_refused(kind: object) -> None:
    entry = {"resource": {"resourceType": kind}, "request": {"method": "DELETE", "url": "Patient/p1"}}
    (found,) = fhir.parse(json.dumps({"resourceType": "Bundle", "entry": [entry]}).encode())
    assert isinstance(found, Rejection)
    assert found.reason == "nothing-inside"


@pytest.mark.parametrize("version", ["", "1" * 257, "a\nb", "\x00"])
def test_a_version_that_cannot_travel_on_is_refused(version: str) -> None:
    """A reading goes on through our own topics, where an endless version would be too large to be sent."""
    (found,) = fhir.parse(json.dumps(observation(meta={"versionId": version})).encode())
    assert isinstance(found, Rejection)
    assert (found.reason, found.path) == ("id-invalid", "meta.versionId")


@pytest.mark.parametrize("place", ["id", "versionId", "reference"])
def test_half_a_character_pair_never_gets_into_a_reading(place: str) -> None:
    """Python's JSON reader, which a NaN elsewhere calls for, lets it pass, and no encoder of ours does."""
    record = observation(id="o1", meta={"versionId": "v1"}, note=[{"text": "@"}])
    named = {"id": b'"o1"', "versionId": b'"v1"', "reference": b'"Patient/p1"'}[place]
    halved = b'"Patient/\\ud800"' if place == "reference" else b'"\\ud800"'
    raw = json.dumps(record).encode().replace(named, halved).replace(b'"@"', b"NaN")
    (found,) = fhir.parse(raw)
    assert isinstance(found, Rejection)
    assert found.reason == "id-invalid"


def test_the_limit_is_the_sites() -> None:
    assert isinstance(fhir.parse(RAW, fhir.ParseOptions(max_bytes=len(RAW)))[0], Reading)
    for raw in (RAW, gzip.compress(RAW + b" " * 10_000)):
        (found,) = fhir.parse(raw, fhir.ParseOptions(max_bytes=len(RAW) - 1))
        assert isinstance(found, Rejection)
        assert found.reason == "too-large"


def test_of_a_member_that_comes_twice_the_last_counts() -> None:
    raw = json.dumps(observation()).encode()
    twice = raw.replace(b'"status": "final"', b'"status": "cancelled", "status": "final"')
    assert fhir.parse(twice) == fhir.parse(raw)
    twice = raw.replace(b'"status": "final"', b'"status": 7, "status": "amended"')
    (found,) = fhir.parse(twice)
    assert isinstance(found, Reading)
    assert found.status == "amended"


def test_a_million_members_components_and_entries_are_read_to_the_end() -> None:
    many = b",".join([b'{"a":1}'] * 200_000)
    for raw in (
        RAW.replace(b'"status"', b'"note": [' + many + b'], "status"'),
        RAW.replace(b'"component": [', b'"component": [' + many + b","),
    ):
        (found,) = fhir.parse(raw)
        assert isinstance(found, Reading)
    (found,) = fhir.parse(b'{"resourceType":"Bundle","entry":[' + many + b"]}")
    assert isinstance(found, Rejection)
    assert found.reason == "nothing-inside"


def test_a_long_bundle_takes_no_longer_for_each_of_its_entries() -> None:
    """Each Observation once looked through all others for its patient's birth date."""
    entry = b'{"fullUrl":"urn:uuid:%d","resource":' + json.dumps(observation()).encode() + b"}"
    many = b",".join([entry % number for number in range(15_000)])
    found = fhir.parse(b'{"resourceType":"Bundle","entry":[' + many + b"]}")
    assert sum(isinstance(one, Reading) for one in found) == 15_000


def test_long_records_leave_nothing_in_memory() -> None:
    tracemalloc.start()
    for number in range(50):
        record = envelope(patient={"resourceType": "Patient", "id": "p1", "birthDate": "1" * MEGABYTE})
        record["observation"]["component"][0]["note"] = str(number) * MEGABYTE
        assert isinstance(fhir.parse(json.dumps(record).encode())[0], Reading)
    left, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert left < 10 * MEGABYTE


def test_long_birth_dates_leave_nothing_in_memory_whoever_asks_about_them() -> None:
    tracemalloc.start()
    for number in range(50):
        with pytest.raises(PatientSettingsError, match="birth_date is no date"):
            check(PatientSettings(birth_date=str(number) * MEGABYTE), of_cohort=False)
    left, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert left < 10 * MEGABYTE


@pytest.mark.parametrize("piece", ["Patient/", "/", "A/", "|", "Patient/x|", "Patient?identifier=", "urn:uuid:", "#"])
def test_an_endless_reference_takes_no_endless_time(piece: str) -> None:
    for length in (100, 2000, 1_000_000):
        subject = {"reference": piece * (length // len(piece)) + "!"}
        (found,) = fhir.parse(json.dumps(observation(subject=subject)).encode())
        assert isinstance(found, Reading | Rejection)


def test_random_bytes_are_refused() -> None:
    for length in range(64):
        (found,) = fhir.parse(os.urandom(length))
        assert isinstance(found, Rejection)
