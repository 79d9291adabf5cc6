"""Whatever moment a worker is killed or frozen at, everything counts exactly once."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections import Counter
from collections.abc import Callable

import orjson

from tests import oracle
from tests.kafka_client import produce, read_all
from tests.pipeline import documents, table_counts, wait_until_drained
from tests.worker_process import WorkerProcess, WorkerSettings, wait_for

READINGS = 60_000
KILLS = 10
FREEZES = 5
DELETIONS = 2

#: A group's shortest session timeout, by Kafka's default, and a freeze that is longer, in seconds.
SESSION_TIMEOUT = 6
FREEZE = 9


async def test_kills_and_freezes_of_two_workers_lose_and_double_nothing(
    settings: WorkerSettings, start_worker: Callable[..., WorkerProcess]
) -> None:
    """Two workers under load: 10 kill -9, 5 freezes past the session timeout, 2 data directories deleted."""
    chance = random.Random(4)
    envelopes = oracle.random_envelopes(READINGS, patients=2000, seed=4)
    environment = {
        "BP_FAUST_BROKER_SESSION_TIMEOUT": str(SESSION_TIMEOUT),
        "BP_FAUST_BROKER_HEARTBEAT_INTERVAL": "1",
        # Small batches, so that most moments lie within some transaction.
        "BP_FAUST_BROKER_MAX_POLL_RECORDS": "200",
    }
    workers = [start_worker(name, **environment) for name in ("first", "second")]
    actions = ["kill"] * KILLS + ["freeze"] * FREEZES
    chance.shuffle(actions)
    deletions = set(chance.sample([at for at, action in enumerate(actions) if action == "kill"], DELETIONS))
    share = READINGS // len(actions)
    woke_fenced = 0

    for number, action in enumerate(actions):
        victim = chance.choice(workers)
        await produce(settings.kafka, settings.readings_topic, envelopes[number * share : (number + 1) * share])
        await asyncio.sleep(chance.uniform(0.1, 1.5))  # the moment is what chance is about
        if action == "kill":
            victim.kill()
            if number in deletions:
                shutil.rmtree(victim.data_dir)
            victim.start()
        else:
            victim.freeze()
            await asyncio.sleep(FREEZE)
            victim.thaw()

        def at_work(victim: WorkerProcess = victim) -> bool:
            nonlocal woke_fenced
            if victim.process.poll() is not None:  # as a supervisor would
                assert victim.process.returncode != 0
                woke_fenced += 1
                victim.start()
            return victim.status("/readyz") == 200

        await asyncio.to_thread(wait_for, at_work, 90, f"{victim.name} to be at work after {action} {number}")

    await produce(settings.kafka, settings.readings_topic, envelopes[share * len(actions) :])
    await wait_until_drained(settings, 180)

    def all_ready() -> bool:
        return all(worker.status("/readyz") == 200 for worker in workers)

    await asyncio.to_thread(wait_for, all_ready, 60, "both workers")
    assert await asyncio.to_thread(table_counts, workers[0]) == oracle.counts(envelopes)

    expected = oracle.documents(envelopes)
    told = Counter(
        (anomaly["patient_id"], anomaly["observation_id"], anomaly["anomaly_type"])
        for anomaly in (
            orjson.loads(record.value) for record in await read_all(settings.kafka, settings.anomalies_topic)
        )
    )
    assert told == Counter((patient, observation, verdict) for (patient, observation), verdict in expected.items())

    found = await documents(settings)
    assert len(found) == len(expected)
    assert {(one["patient_id"], one["observation_id"]): one["anomaly_type"] for one in found} == expected
