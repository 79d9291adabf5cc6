"""What is refused can be looked at, counted and sent again, and nothing counts twice for it."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer

from tests import oracle
from tests.dead_letter_records import letters_in
from tests.kafka_client import produce, read_all, reset_group
from tests.pipeline import documents, table_counts, wait_until_drained
from tests.worker_process import WorkerProcess, WorkerSettings

StartWorker = Callable[..., WorkerProcess]


def without_units(envelope: dict[str, Any]) -> dict[str, Any]:
    """Return an envelope as the seed's producer writes it, without any unit."""
    for part in envelope["observation"]["component"]:
        part["valueQuantity"] = {"value": part["valueQuantity"]["value"]}
    return envelope


async def test_dead_letters_are_listed_shown_exported_and_replayed(
    settings: WorkerSettings, start_worker: StartWorker
) -> None:
    good = oracle.random_envelopes(20, patients=5, seed=1)
    unitless = [without_units(envelope) for envelope in oracle.random_envelopes(30, patients=5, seed=2)]
    for number, envelope in enumerate(unitless):
        if number % 3 == 0:  # these would be other readings each time, if a replay did not know them
            del envelope["observation"]["id"]
    worker = start_worker(BP_FAUST_UNIT_POLICY="refuse")
    await produce(settings.kafka, settings.readings_topic, [*good, *unitless])
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka) as producer:
        await producer.send_and_wait(
            settings.readings_topic, b"\xff\x00", key=b"k", headers=[("trace", b"1")], partition=3
        )
    await wait_until_drained(settings)
    assert worker.get("/refusals/")["refusals"] == {"unit-unknown": 30, "not-utf8": 1}
    metrics = worker.text("/metrics")
    assert 'bp_faust_refusals_total{reason="not-utf8"} 1.0' in metrics
    assert 'bp_faust_refusals_total{reason="too-deep"} 0.0' in metrics
    assert "bp_faust_readings_total 20.0" in metrics

    listed = settings.faust("dlq", "list")
    assert listed.returncode == 0, listed.stderr
    assert Counter(line.split("\t")[2] for line in listed.stdout.splitlines()) == {"unit-unknown": 30, "not-utf8": 1}
    assert settings.faust("dlq", "list", "--reason", "no-value").stdout == ""
    (line,) = settings.faust("dlq", "list", "--reason", "not-utf8").stdout.splitlines()
    place = line.split("\t")[1]
    shown = settings.faust("dlq", "show", "--at", place)
    assert "not-utf8" in shown.stdout
    assert "header trace: 1" in shown.stdout
    assert "Encode the JSON in UTF-8." in shown.stdout
    told = json.loads(settings.faust("--json", "dlq", "list", "--limit", "3").stdout)
    assert [one["topic"] for one in told] == [settings.readings_topic] * 3

    exported = settings.faust(
        "dlq", "export", "-o", "refused.ndjson", "--reason", "unit-unknown", "--reason", "not-utf8"
    )
    assert exported.returncode == 0, exported.stderr
    lines = [orjson.loads(line) for line in (settings.directory / "refused.ndjson").read_bytes().splitlines()]
    assert len(lines) == 31
    (binary,) = (one for one in lines if one["reasons"][0]["reason"] == "not-utf8")
    assert (binary["key"], binary["value"], binary["headers"]) == ("k", {"base64": "/wA="}, [["trace", "1"]])
    assert sorted(orjson.loads(one["value"])["patient"]["id"] for one in lines if one is not binary) == sorted(
        envelope["patient"]["id"] for envelope in unitless
    )

    assert worker.stop() == 0
    worker = start_worker("lenient")
    for number, envelope in enumerate(unitless):
        envelope["observation"].setdefault("id", f"without-{number}")
    for _ in range(2):
        replayed = settings.faust("dlq", "replay")
        assert replayed.returncode == 0, replayed.stderr
        assert "31 records sent again" in replayed.stdout
        await wait_until_drained(settings)
        assert await asyncio.to_thread(table_counts, worker) == oracle.counts([*good, *unitless])
        assert len(await documents(settings)) == len(oracle.documents([*good, *unitless]))
        # What is refused again is one refusal still, and its place the first one.
        assert worker.get("/refusals/")["refusals"] == {"unit-unknown": 30, "not-utf8": 1}
        assert settings.faust("dlq", "list", "--reason", "not-utf8").stdout.splitlines() == [line]
    letters = letters_in(await read_all(settings.kafka, settings.dead_letters_topic))
    assert len(letters) == 33

    assert worker.stop() == 0
    await reset_group(settings.kafka, settings.app_id)
    worker = start_worker("lenient")
    await wait_until_drained(settings)
    assert worker.get("/refusals/")["refusals"] == {"unit-unknown": 30, "not-utf8": 1}
    assert await asyncio.to_thread(table_counts, worker) == oracle.counts([*good, *unitless])


def test_wrong_use_is_told_in_one_line(settings: WorkerSettings) -> None:
    for arguments, told in (
        (("dlq",), "Missing argument"),
        (("dlq", "burn"), "burn"),
        (("dlq", "list", "--since", "yesterday"), "2026-07-01"),
        (("dlq", "list", "--limit", "0"), "--limit"),
        (("dlq", "list", "-o", "x"), "--output is for export"),
        (("dlq", "list"), f"There is no topic {settings.dead_letters_topic}"),
    ):
        ran = settings.faust(*arguments)
        assert ran.returncode != 0
        assert told in ran.stderr
        assert "Traceback" not in ran.stderr
