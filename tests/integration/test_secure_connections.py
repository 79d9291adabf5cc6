"""The worker and the commands on a real Kafka with TLS, users and rights, and an Elasticsearch that asks who comes."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import oracle, secured_elasticsearch
from tests.certificates import Certificates
from tests.kafka_client import produce, read_all
from tests.pipeline import anomaly_types, documents, table_counts, wait_until_drained
from tests.secure_kafka import ADMIN, PASSWORDS, WARD, SecureKafka
from tests.secured_elasticsearch import SecuredElasticsearch
from tests.worker_process import WorkerProcess, WorkerSettings

StartWorker = Callable[..., WorkerProcess]


@pytest.fixture
def settings(secure_kafka: SecureKafka, elasticsearch_url: str, tmp_path: Path) -> WorkerSettings:
    """Give an installation on the secure broker; this process itself comes in by its plaintext listener."""
    return WorkerSettings.unique(secure_kafka.bootstrap, elasticsearch_url, tmp_path)


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    """Give certificates of a test of its own."""
    return Certificates(tmp_path / "certificates")


@pytest.mark.parametrize(
    ("protocol", "mechanism"),
    [("SASL_SSL", "SCRAM-SHA-512"), ("SASL_SSL", "PLAIN"), ("SASL_PLAINTEXT", "SCRAM-SHA-256"), ("SSL", "")],
)
async def test_a_worker_counts_and_indexes_with_no_more_rights_than_the_documented(
    settings: WorkerSettings, start_worker: StartWorker, secure_kafka: SecureKafka, protocol: str, mechanism: str
) -> None:
    secure_kafka.allow_installation(settings.app_id, "CREATE")
    envelopes = oracle.random_envelopes(400, patients=20, seed=21)
    environment = secure_kafka.environment_for(protocol, mechanism)
    worker = await asyncio.to_thread(lambda: start_worker(**environment))
    await produce(settings.kafka, settings.readings_topic, envelopes[:200])
    await wait_until_drained(settings)
    # The tables are then read again from the changelogs.
    assert await asyncio.to_thread(worker.stop) == 0
    shutil.rmtree(worker.data_dir)
    worker.start()
    await asyncio.to_thread(worker.wait_until_ready)
    await produce(settings.kafka, settings.readings_topic, envelopes[200:])
    await wait_until_drained(settings)
    assert table_counts(worker) == oracle.counts(envelopes)
    assert await anomaly_types(settings) == oracle.documents(envelopes)
    assert await asyncio.to_thread(worker.stop) == 0
    assert not [line for line in worker.log.read_text().splitlines() if PASSWORDS[WARD] in line]


async def test_the_commands_sign_in_too(settings: WorkerSettings, secure_kafka: SecureKafka) -> None:
    secure_kafka.allow_installation(settings.app_id, "CREATE")
    password = settings.directory / "password"
    password.write_text(f"{PASSWORDS[WARD]}\n")
    environment = secure_kafka.environment_for("SASL_SSL")
    del environment["BP_FAUST_BROKER_PASSWORD"]
    environment["BP_FAUST_BROKER_PASSWORD_FILE"] = str(password)
    for command in (
        ("send", "readings"),
        ("produce", "--count", "5", "--rate", "0"),
        ("dlq", "list"),
        ("dlq", "replay"),
        ("patient", "set", "p", "--policy", "esc-2024"),
        ("patient", "show", "p"),
        ("backtest", "--policy", "seed", "--against", "aha-2025"),
    ):
        ran = await asyncio.to_thread(lambda command=command: settings.faust(*command, **environment))
        assert ran.returncode == 0, (command, ran.stderr)
        assert "Traceback" not in ran.stderr, command
    assert len(await read_all(settings.kafka, settings.readings_topic)) == 6


async def test_a_user_who_may_create_nothing_works_with_topics_that_are_there(
    settings: WorkerSettings, start_worker: StartWorker, secure_kafka: SecureKafka
) -> None:
    sent = await asyncio.to_thread(
        lambda: settings.faust("send", "readings", **secure_kafka.environment_for("SASL_SSL", user=ADMIN))
    )
    assert sent.returncode == 0, sent.stderr
    secure_kafka.allow_installation(settings.app_id)
    environment = secure_kafka.environment_for("SASL_SSL")
    worker = await asyncio.to_thread(lambda: start_worker(**environment))
    await wait_until_drained(settings)
    assert len(worker.get("/patients/")["patients"]) == 1


@pytest.mark.parametrize("signs_in", ["by API key", "by user"])
async def test_documents_reach_an_elasticsearch_with_tls_and_credentials(
    settings: WorkerSettings, start_worker: StartWorker, certificates: Certificates, signs_in: str
) -> None:
    envelopes = oracle.random_envelopes(100, patients=10, seed=22)
    environment = {"BP_FAUST_ELASTICSEARCH_CA_CERTS": str(certificates.authority)}
    if signs_in == "by API key":
        key = settings.directory / "api-key"
        key.write_text(f"{secured_elasticsearch.API_KEY}\n")
        environment["BP_FAUST_ELASTICSEARCH_API_KEY_FILE"] = str(key)
    else:
        environment["BP_FAUST_ELASTICSEARCH_USERNAME"] = secured_elasticsearch.USERNAME
        environment["BP_FAUST_ELASTICSEARCH_PASSWORD"] = secured_elasticsearch.PASSWORD
    certificate = certificates.issue("elasticsearch", "127.0.0.1")
    async with SecuredElasticsearch(settings.elasticsearch_url, certificate) as secured:
        environment["BP_FAUST_ELASTICSEARCH_URL"] = secured.url
        worker = await asyncio.to_thread(lambda: start_worker(**environment))
        await produce(settings.kafka, settings.readings_topic, envelopes)
        await wait_until_drained(settings)
        assert len(await documents(settings)) == len(oracle.documents(envelopes))
        assert await asyncio.to_thread(worker.stop) == 0
    told = worker.log.read_text()
    assert secured_elasticsearch.API_KEY not in told
    assert secured_elasticsearch.PASSWORD not in told
