"""Workers as docker-compose.yml scales them: one port, a host name and a data directory for each."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from elasticsearch import AsyncElasticsearch

from tests import oracle
from tests.kafka_client import produce
from tests.pipeline import documents, eventually, table_counts, wait_until_drained
from tests.worker_process import WorkerProcess, WorkerSettings, free_port, wait_for

TOKEN = "the-same-for-all-workers"
PARTITIONS = 4


class Container(WorkerProcess):
    """Hold a worker that has an address to itself, of this machine's loopback network, as a container has one."""

    def __init__(
        self, settings: WorkerSettings, number: int, port: int, *, partitions: int = PARTITIONS, **more: str
    ) -> None:
        self.host = f"127.0.0.{number + 1}"
        self.web_port = port
        environment = {
            "BP_FAUST_WEB_BIND": self.host,
            "BP_FAUST_WEB_PORT": str(port),
            "BP_FAUST_WEB_TOKEN": TOKEN,
            "BP_FAUST_TOPIC_PARTITIONS": str(partitions),
            **more,
        }
        # As the image's CMD does with the container's host name.
        self.worker_options = [*self.worker_options, f"--web-host={self.host}"]
        super().__init__(settings, f"worker-{number}", environment)

    def url(self, path: str) -> str:
        """Return the address of a path."""
        return f"http://{self.host}:{self.web_port}{path}"


@pytest.fixture
def containers(settings: WorkerSettings) -> Iterator[list[Container]]:
    """Give a list of workers, which are ended afterwards."""
    workers: list[Container] = []
    yield workers
    for worker in workers:
        worker.end()


def shared(workers: list[Container], topic: str) -> bool:
    """Tell whether all are ready, and each has its share of a topic."""
    try:
        shares = [worker.get("/readyz")["assigned"].get(topic, []) for worker in workers]
    except OSError:  # one is not ready
        return False
    return all(shares) and sorted(partition for share in shares for partition in share) == list(range(PARTITIONS))


async def test_three_workers_share_the_work_and_each_answers_for_all_of_them(
    settings: WorkerSettings, containers: list[Container]
) -> None:
    envelopes = oracle.random_envelopes(900, patients=60, seed=31)
    topic = f"{settings.app_id}-readings"
    port = free_port()
    containers += [Container(settings, number, port) for number in (1, 2)]
    await asyncio.to_thread(wait_for, lambda: shared(containers, topic), 120, "two workers with a share each")
    await produce(settings.kafka, settings.readings_topic, envelopes[:300])
    await wait_until_drained(settings)

    # One more, while there is work.
    await produce(settings.kafka, settings.readings_topic, envelopes[300:600])
    containers.append(Container(settings, 3, port))
    await asyncio.to_thread(wait_for, lambda: shared(containers, topic), 120, "three workers with a share each")
    await wait_until_drained(settings)
    expected = oracle.counts(envelopes[:600])
    local = [worker.get("/patients/?local")["patients"] for worker in containers]
    assert all(local)
    assert sorted(patient["patient_id"] for found in local for patient in found) == sorted(expected)
    for worker in containers:
        assert await asyncio.to_thread(table_counts, worker) == expected
        for patient in list(expected)[:20]:
            assert worker.get(f"/patients/{patient}/")["anomalies"] == expected[patient]
        # As Prometheus asks each of them.
        assert "bp_faust_ready 1.0" in worker.text("/metrics")
    assert len({worker.data_dir for worker in containers}) == 3
    assert all(list(worker.data_dir.rglob("*.rocksdb")) for worker in containers)

    # One fewer.
    left = containers[1:]
    assert await asyncio.to_thread(containers[0].stop) == 0
    await produce(settings.kafka, settings.readings_topic, envelopes[600:])
    await asyncio.to_thread(wait_for, lambda: shared(left, topic), 120, "two workers with all partitions")
    await wait_until_drained(settings)
    for worker in left:
        assert await asyncio.to_thread(table_counts, worker) == oracle.counts(envelopes)
    assert len(await documents(settings)) == len(oracle.documents(envelopes))


async def test_more_partitions_take_another_installation_that_reads_all_again(
    settings: WorkerSettings, containers: list[Container], tmp_path: Path
) -> None:
    """The steps of docs/how-to/scaling.md."""
    envelopes = oracle.random_envelopes(300, patients=30, seed=32)
    before = Container(settings, 1, free_port(), partitions=2)
    containers.append(before)
    await asyncio.to_thread(before.wait_until_ready)
    await produce(settings.kafka, settings.readings_topic, [*envelopes[:200], b"not json"])
    await wait_until_drained(settings)
    assert await asyncio.to_thread(table_counts, before) == oracle.counts(envelopes[:200])
    assert await asyncio.to_thread(before.stop) == 0

    changed = Container(settings, 2, free_port(), partitions=6)
    containers.append(changed)
    assert await asyncio.to_thread(changed.process.wait, 60) == 1
    assert "BP_FAUST_TOPIC_PARTITIONS" in changed.log_tail(1)

    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    await admin.create_partitions({settings.dead_letters_topic: NewPartitions(6)})
    await admin.close()
    (tmp_path / "another").mkdir()
    another = WorkerSettings.unique(settings.kafka, settings.elasticsearch_url, tmp_path / "another")
    after = Container(another, 3, free_port(), partitions=6, BP_FAUST_READINGS_TOPIC=settings.readings_topic)
    containers.append(after)
    await asyncio.to_thread(after.wait_until_ready)
    await produce(settings.kafka, settings.readings_topic, envelopes[200:])
    await eventually(lambda: table_counts(after) == oracle.counts(envelopes))
    await eventually(lambda: after.get("/refusals/")["refusals"] == {"not-json": 1})
    assert len(after.get("/readyz")["assigned"][f"{another.app_id}-readings"]) == 6
    found = oracle.documents(envelopes)
    async with AsyncElasticsearch(settings.elasticsearch_url) as client:
        deadline = asyncio.get_running_loop().time() + 60
        while (await client.count(index=another.index, ignore_unavailable=True))["count"] != len(found):
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.2)
            await client.indices.refresh(index=another.index, ignore_unavailable=True)
