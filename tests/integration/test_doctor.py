"""The doctor before a real Kafka and a real Elasticsearch: what is well, and each thing that is not."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from aiohttp import web
from aiokafka.admin import AIOKafkaAdminClient
from elasticsearch import AsyncElasticsearch

from bp_faust.local.downloads import KAFKA, default_cache_dir, fetch
from bp_faust.local.kafka import KafkaBroker
from tests.certificates import Certificates
from tests.chaos.mis_setups import SECRET
from tests.chaos.small_disk import NoDiskError, SmallDisk
from tests.kafka_client import create_topic
from tests.secure_kafka import WARD, SecureKafka
from tests.secured_elasticsearch import API_KEY, SecuredElasticsearch
from tests.worker_process import WorkerProcess, WorkerSettings, free_port

#: Within how many seconds the doctor must have ended, with everything silent, on a machine that does much else.
MOST_SECONDS = 60

CHECKS = [
    "settings",
    "policies",
    "data directory",
    "Kafka",
    "topics",
    "topics' settings",
    "Kafka's rights",
    "transactions",
    "Elasticsearch",
    "version",
    "Elasticsearch's rights",
    "clock",
    "index of anomalies",
    "index of alerts",
    "index of refusals",
]

Found = dict[str, tuple[str, str]]


def doctor(settings: WorkerSettings, **environment: str) -> tuple[int, Found]:
    """Return the doctor's exit status, and what it found, by what it looked at."""
    told = settings.faust("--json", "doctor", seconds=MOST_SECONDS, **environment)
    assert told.stderr == ""
    assert SECRET not in told.stdout
    return told.returncode, {one["check"]: (one["outcome"], one["text"]) for one in json.loads(told.stdout)}


async def examine(settings: WorkerSettings, **environment: str) -> tuple[int, Found]:
    return await asyncio.to_thread(lambda: doctor(settings, **environment))


def not_well(found: Found) -> dict[str, str]:
    return {check: outcome for check, (outcome, _) in found.items() if outcome != "ok"}


async def topics_of(kafka: str) -> set[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        return set(await admin.list_topics())
    finally:
        await admin.close()


async def test_before_the_first_start_all_is_well_and_nothing_is_made(settings: WorkerSettings) -> None:
    before = await topics_of(settings.kafka)
    status, found = await examine(settings)
    assert (status, not_well(found)) == (0, {})
    assert list(found) == CHECKS
    assert "None is there yet" in found["topics"][1]
    # Other tests' servers are this one's, and none of them makes topics at this moment.
    assert await topics_of(settings.kafka) == before
    assert not (settings.directory / "data").exists()
    async with AsyncElasticsearch(settings.elasticsearch_url) as client:
        assert not await client.indices.exists(index=settings.index)
        assert not await client.indices.exists_index_template(name=settings.index)


async def test_beside_a_running_worker_all_is_well(
    settings: WorkerSettings, start_worker: Callable[..., WorkerProcess]
) -> None:
    worker = await asyncio.to_thread(start_worker)
    status, found = await examine(settings, BP_FAUST_DATADIR=str(worker.data_dir))
    assert (status, not_well(found)) == (0, {})
    assert "in use by a worker" in found["data directory"][1]
    assert found["topics"][1].startswith("All ")
    assert found["version"][1] == "Elasticsearch 8.9.0."
    assert worker.status("/readyz") == 200


async def test_the_lines_are_for_people_and_for_pipes(settings: WorkerSettings) -> None:
    told = await asyncio.to_thread(settings.faust, "doctor")
    assert [line.split("\t")[1] for line in told.stdout.splitlines()] == CHECKS
    assert all(len(line.split("\t")) == 3 for line in told.stdout.splitlines())
    assert await asyncio.to_thread(lambda: settings.faust("--quiet", "doctor").stdout) == ""


async def test_servers_that_are_away_are_wrong_and_what_hangs_on_them_is_not_looked_at(
    settings: WorkerSettings,
) -> None:
    kafka, search = free_port(), free_port()
    status, found = await examine(
        settings,
        BP_FAUST_BROKER_URL=f"kafka://127.0.0.1:{kafka}",
        BP_FAUST_ELASTICSEARCH_URL=f"http://127.0.0.1:{search}",
    )
    assert status == 1
    assert {check for check, outcome in not_well(found).items() if outcome == "wrong"} == {"Kafka", "Elasticsearch"}
    assert {check for check, outcome in not_well(found).items() if outcome == "skipped"} == set(
        CHECKS[4:8] + CHECKS[9:]
    )
    assert f"127.0.0.1:{kafka}" in found["Kafka"][1]
    assert "start it" in found["Elasticsearch"][1]


@pytest.fixture
async def silent() -> AsyncIterator[str]:
    """Give the host:port of one who never answers."""

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    port = free_port()
    async with await asyncio.start_server(say_nothing, "127.0.0.1", port):
        yield f"127.0.0.1:{port}"


async def test_silent_servers_do_not_keep_it_from_ending(settings: WorkerSettings, silent: str) -> None:
    status, found = await examine(
        settings, BP_FAUST_BROKER_URL=f"kafka://{silent}", BP_FAUST_ELASTICSEARCH_URL=f"http://{silent}"
    )
    assert status == 1
    assert {found["Kafka"][0], found["Elasticsearch"][0]} == {"wrong"}
    assert "set BP_FAUST_ELASTICSEARCH_URL" in found["Elasticsearch"][1]


async def test_partition_counts_that_differ_are_wrong(settings: WorkerSettings) -> None:
    await create_topic(settings.kafka, f"{settings.app_id}-readings", 3)
    status, found = await examine(settings)
    assert (status, not_well(found)) == (1, {"topics": "wrong"})
    assert "set it to 3" in found["topics"][1]


async def test_a_topic_that_lost_its_settings_is_noticed(settings: WorkerSettings) -> None:
    await create_topic(settings.kafka, f"{settings.app_id}-patients-changelog", 4)
    status, found = await examine(settings)
    assert (status, not_well(found)) == (1, {"topics": "warning", "topics' settings": "wrong"})
    assert "cleanup.policy of" in found["topics' settings"][1]


async def test_an_index_whose_mapping_does_not_fit_is_wrong(settings: WorkerSettings) -> None:
    async with AsyncElasticsearch(settings.elasticsearch_url) as client:
        await client.indices.create(index=settings.index, mappings={"properties": {"patient_id": {"type": "text"}}})
    status, found = await examine(settings)
    assert (status, not_well(found)) == (1, {"index of anomalies": "wrong"})
    assert "must be keyword" in found["index of anomalies"][1]


async def test_a_wrong_key_for_elasticsearch_is_wrong(settings: WorkerSettings, tmp_path: Path) -> None:
    certificates = Certificates(tmp_path / "certificates")
    certificate = certificates.issue("elasticsearch", "127.0.0.1")
    async with SecuredElasticsearch(settings.elasticsearch_url, certificate) as secured:
        given = {
            "BP_FAUST_ELASTICSEARCH_URL": secured.url,
            "BP_FAUST_ELASTICSEARCH_CA_CERTS": str(certificates.authority),
        }
        status, found = await examine(settings, **given, BP_FAUST_ELASTICSEARCH_API_KEY=SECRET)
        assert (status, found["Elasticsearch"][0]) == (1, "wrong")
        assert "does not accept our credentials (401)" in found["Elasticsearch"][1]
        status, found = await examine(settings, **given, BP_FAUST_ELASTICSEARCH_API_KEY=API_KEY)
        assert (status, not_well(found)) == (0, {})
        given["BP_FAUST_ELASTICSEARCH_CA_CERTS"] = str(certificates.other_authority)
        status, found = await examine(settings, **given, BP_FAUST_ELASTICSEARCH_API_KEY=API_KEY)
        assert "set BP_FAUST_ELASTICSEARCH_CA_CERTS" in found["Elasticsearch"][1]


async def test_lacking_rights_and_a_clock_that_is_wrong_are_told(settings: WorkerSettings) -> None:
    # The local node has no security module, and its clock is ours: both are told by a stand-in.
    lacking = {"manage": True, "create_index": True, "write": False}
    answers = {
        "/_cluster/health": {"status": "red"},
        "/_security/user/_has_privileges": {
            "cluster": {"manage_index_templates": True},
            "index": {
                settings.index: lacking,
                **dict.fromkeys((settings.alerts_index, settings.refusals_index), dict.fromkeys(lacking, True)),
            },
        },
        "/_nodes/_local/stats/process": {"nodes": {"a": {"timestamp": int(1000 * (time.time() - 300))}}},
        "/_nodes/_local/_none": {"nodes": {"a": {"version": "7.17.9"}}},
    }

    async def answer(request: web.Request) -> web.Response:
        status = 404 if request.method == "HEAD" else 200
        return web.json_response(
            answers.get(request.path, {}), status=status, headers={"X-Elastic-Product": "Elasticsearch"}
        )

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner, port = web.AppRunner(application, access_log=None), free_port()
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        status, found = await examine(settings, BP_FAUST_ELASTICSEARCH_URL=f"http://127.0.0.1:{port}")
    finally:
        await runner.cleanup()
    assert status == 1
    assert not_well(found) == {
        "Elasticsearch": "warning",
        "version": "wrong",
        "Elasticsearch's rights": "wrong",
        "clock": "warning",
    }
    assert f"grant write ({settings.index})" in found["Elasticsearch's rights"][1]
    assert "ahead of" in found["clock"][1]


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"PASSWORD": SECRET}, "does not accept BP_FAUST_BROKER_USERNAME"),
        ({"CA_CERTS": "other"}, "set BP_FAUST_BROKER_CA_CERTS"),
    ],
)
async def test_what_keeps_us_from_kafka_is_told(
    settings: WorkerSettings, secure_kafka: SecureKafka, options: dict[str, str], part: str
) -> None:
    environment = secure_kafka.environment_for("SASL_SSL")
    for name, value in options.items():
        other = str(secure_kafka.certificates.other_authority)
        environment[f"BP_FAUST_BROKER_{name}"] = other if value == "other" else value
    status, found = await examine(settings, **environment)
    assert (status, found["Kafka"][0]) == (1, "wrong")
    assert part in found["Kafka"][1]


async def test_rights_that_are_lacking_in_kafka_are_named(settings: WorkerSettings, secure_kafka: SecureKafka) -> None:
    environment = secure_kafka.environment_for("SASL_SSL")
    status, found = await examine(settings, **environment)
    assert (status, found["topics"][0], found["Kafka's rights"][0]) == (1, "wrong", "wrong")
    assert "may not create them" in found["topics"][1]
    assert "give it READ on the group" in found["Kafka's rights"][1]
    await asyncio.to_thread(secure_kafka.allow_installation, settings.app_id, "CREATE")
    status, found = await examine(settings, **environment)
    assert (status, not_well(found)) == (0, {})
    # On one topic it may only look.
    other = f"other-{settings.app_id}"
    await create_topic(secure_kafka.bootstrap, other, 4)
    await asyncio.to_thread(secure_kafka.allow, WARD, "topic", other, ["READ"])
    status, found = await examine(settings, BP_FAUST_ANOMALIES_TOPIC=other, **environment)
    assert status == 1
    assert f"give it WRITE on {other}" in found["Kafka's rights"][1]


@pytest.fixture(scope="module")
def demanding_kafka(stack: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """Give a broker that stands alone and asks for others."""
    broker = KafkaBroker(
        tmp_path_factory.mktemp("kafka"),
        fetch(KAFKA, default_cache_dir()),
        properties={"transaction.state.log.min.isr": "2", "transaction.state.log.replication.factor": "3"},
    )
    broker.start()
    yield broker
    broker.stop()


async def test_a_kafka_that_can_begin_no_transaction_is_wrong(
    settings: WorkerSettings, demanding_kafka: KafkaBroker
) -> None:
    status, found = await examine(settings, BP_FAUST_BROKER_URL=f"kafka://{demanding_kafka.bootstrap}")
    assert (status, not_well(found)) == (1, {"transactions": "wrong"})
    assert "transaction.state.log.min.isr is 2" in found["transactions"][1]
    status, found = await examine(
        settings,
        BP_FAUST_BROKER_URL=f"kafka://{demanding_kafka.bootstrap}",
        BP_FAUST_TOPIC_REPLICATION_FACTOR="3",
    )
    assert found["topics"][0] == "wrong"
    assert await topics_of(demanding_kafka.bootstrap) == set()


async def test_a_small_disk_is_a_warning_and_a_full_one_wrong(settings: WorkerSettings, tmp_path: Path) -> None:
    try:
        disk = SmallDisk(tmp_path / "disk", 64)
    except NoDiskError as exc:
        pytest.skip(str(exc))
    try:
        status, found = await examine(settings, BP_FAUST_DATADIR=str(disk.path / "data"))
        assert (status, not_well(found)) == (0, {"data directory": "warning"})
        disk.fill()
        status, found = await examine(settings, BP_FAUST_DATADIR=str(disk.path / "data"))
        assert (status, not_well(found)) == (1, {"data directory": "wrong"})
        assert "is full" in found["data directory"][1]
    finally:
        disk.unmount()


def test_settings_that_do_not_go_together_are_told(settings: WorkerSettings) -> None:
    status, found = doctor(settings, BP_FAUST_WEB_BIND="0.0.0.0", BP_FAUST_WEB_HOST="ward.example.org")
    assert (status, not_well(found)) == (1, {"settings": "wrong"})
    status, found = doctor(settings, BP_FAUST_ELASTICSEARCH_URI="http://localhost:9200")
    assert (status, not_well(found)) == (0, {"settings": "warning"})


@pytest.mark.parametrize(
    ("name", "value"),
    [("BP_FAUST_WEB_TOKEN", "short"), ("BP_FAUST_POLICY", "nowhere.yaml"), ("BP_FAUST_POLICY", "nosuch")],
)
def test_a_setting_that_is_wrong_by_itself_is_told_in_one_line(settings: WorkerSettings, name: str, value: str) -> None:
    told = settings.faust("doctor", **{name: value})
    assert told.returncode == 1
    assert told.stderr.startswith("Error: ")
    assert told.stderr.count("\n") == 1


def test_the_data_directory_of_fausts_option_is_looked_at(settings: WorkerSettings) -> None:
    (settings.directory / "chosen").mkdir()
    told: subprocess.CompletedProcess[str] = settings.faust("--datadir", "chosen", "doctor")
    assert str(settings.directory / "chosen") in told.stdout
