"""Whatever comes in is accounted for: as a reading, or as a dead letter; and the worker works on."""

from __future__ import annotations

import copy
import gzip
import random
from collections.abc import Callable
from typing import Any

import msgspec
import orjson
import pytest
from aiokafka import AIOKafkaProducer

from tests import oracle
from tests.fhir_records import bundle
from tests.kafka_client import read_all
from tests.pipeline import wait_until_drained
from tests.worker_process import WorkerProcess, WorkerSettings

RECORDS, RECORDS_IN_FULL = 10_000, 200_000

HOSTILE: list[Any] = [
    None, True, False, 0, -1, 1e308, -0.0, 10**40, "", " ", "NaN", "\0", "𝕏" * 50, "a" * 5000, [], {}, [[]], {"a": {}},
    "2012-13-45", "9999-12-31T23:59:60.999999999+14:00", "Patient/", "entered-in-error", "mm[Hg]", "<script>", "%2F/..",
]  # fmt: skip


def places(value: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Return every (container, key) within a JSON value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            found.append((value, key))
            places(inner, found)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            found.append((value, index))
            places(inner, found)
    return found


def mutated(chance: random.Random, envelope: dict[str, Any]) -> bytes:
    """Return a record that is wrong in some way, or right."""
    document: Any = copy.deepcopy(envelope)
    if chance.random() < 0.3:
        document = document["observation"]
        if chance.random() < 0.4:
            document = bundle(chance.choice(["batch", "collection", "history", "x"]), {"resource": document}, {})
    for _ in range(chance.choice([0, 1, 1, 2, 5])):
        holder, key = chance.choice(places(document, []))
        match chance.randrange(4):
            case 0:
                holder[key] = copy.deepcopy(chance.choice(HOSTILE))
            case 1:
                holder[key] = copy.deepcopy(chance.choice(places(document, []))[0])
            case 2:
                del holder[key]
                if not document:
                    break
            case 3:
                holder[key] = [holder[key]]
    raw = orjson.dumps(document) if not _has_long_numbers(document) else repr(document).encode()
    match chance.randrange(12):
        case 0:
            raw = raw[: chance.randrange(len(raw) + 1)]
        case 1:
            changed = bytearray(raw)
            for _ in range(chance.randint(1, 4)):
                changed[chance.randrange(len(changed))] = chance.randrange(256)
            raw = bytes(changed)
        case 2:
            raw = gzip.compress(raw, 1, mtime=0)
        case 3:
            raw = b"\xef\xbb\xbf" + raw
        case 4:
            raw = gzip.compress(raw, 1, mtime=0)[: chance.randint(0, 60)]
        case 5 if chance.random() < 0.01:
            raw = b'{"observation":' * 50_000 + raw
    return raw


def _has_long_numbers(document: Any) -> bool:
    return any(type(holder[key]) is int and abs(holder[key]) > 2**63 for holder, key in places(document, []))


def escaped(identity: str) -> str:
    return identity.replace("%", "%25").replace("/", "%2F")


async def test_every_mutated_record_is_accounted_for(
    settings: WorkerSettings, start_worker: Callable[..., WorkerProcess], full: bool, seed: int
) -> None:
    chance = random.Random(seed)
    originals = oracle.random_envelopes(2000, patients=100, seed=seed)
    worker = start_worker()
    places_sent = set()
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka, linger_ms=5) as producer:
        pending = []
        for _ in range(RECORDS_IN_FULL if full else RECORDS):
            pending.append(await producer.send(settings.readings_topic, mutated(chance, chance.choice(originals))))
            if len(pending) == 1000:
                places_sent |= {(sent.partition, sent.offset) for sent in [await one for one in pending]}
                pending.clear()
        places_sent |= {(sent.partition, sent.offset) for sent in [await one for one in pending]}
    await wait_until_drained(settings, 600)
    assert worker.process.poll() is None
    assert "[critical" not in worker.log.read_text()

    letters = {}
    for record in await read_all(settings.kafka, settings.dead_letters_topic):
        headers = dict(record.headers)
        assert headers["bp_faust.reason"]
        place = int(headers["bp_faust.partition"]), int(headers["bp_faust.offset"])
        assert place not in letters
        letters[place] = record.value
    readings = [
        reading
        for record in await read_all(settings.kafka, f"{settings.app_id}-readings")
        for reading in msgspec.msgpack.decode(record.value[1:])
    ]
    became_readings = {tuple(reading[10]) for reading in readings}
    assert became_readings | letters.keys() == places_sent
    for record in await read_all(settings.kafka, settings.readings_topic):
        if (record.partition, record.offset) in letters:
            assert letters[record.partition, record.offset] == record.value

    known = {record.key.decode() for record in await read_all(settings.kafka, f"{settings.app_id}-patients-changelog")}
    assert {f"reading/{escaped(reading[0])}/{escaped(reading[1])}" for reading in readings} <= known
    assert len(became_readings) > len(places_sent) / 20
    assert len(letters) > len(places_sent) / 20
    assert sum(worker.get("/refusals/")["refusals"].values()) >= len(letters)


@pytest.mark.parametrize("seed", [1, 2])
def test_mutations_are_the_same_for_the_same_seed(seed: int) -> None:
    """So that a failure can be looked at again."""
    originals = oracle.random_envelopes(10, patients=3, seed=seed)
    runs = []
    for _ in range(2):
        chance = random.Random(seed)
        runs.append([mutated(chance, chance.choice(originals)) for _ in range(200)])
    assert runs[0] == runs[1]
