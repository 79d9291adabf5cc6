"""List ways to set a worker up wrongly, and what it must then say."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import NamedTuple

from elasticsearch import AsyncElasticsearch

from tests import secured_elasticsearch
from tests.certificates import Certificates
from tests.kafka_client import create_topic
from tests.secure_kafka import UNKNOWN, WARD, SecureKafka
from tests.secured_elasticsearch import SecuredElasticsearch
from tests.worker_process import WorkerProcess, WorkerSettings, free_port

#: Never to be told.
SECRET = "secret-as-a-canary"

Environment = dict[str, str]


class Place(NamedTuple):
    """Hold what a worker finds around it; website and silent are host:port of servers that are neither."""

    settings: WorkerSettings
    kafka: SecureKafka
    elasticsearch: SecuredElasticsearch
    certificates: Certificates
    website: str
    silent: str


class MisSetup(NamedTuple):
    """Describe a mis-set-up: what the worker's line must hold, its settings, and what is there before it starts."""

    name: str
    told: str
    settings: Callable[[Place], Environment]
    prepare: Callable[[Place, AsyncExitStack], Awaitable[None]] | None = None


def _nothing(place: Place) -> Environment:
    return {}


def _broker(address: str, **more: str) -> Environment:
    return {"BP_FAUST_BROKER_URL": f"kafka://{address}", **{f"BP_FAUST_BROKER_{name}": more[name] for name in more}}


def _secure(place: Place, protocol: str, mechanism: str = "SCRAM-SHA-256", **more: str) -> Environment:
    settings = place.kafka.environment_for(protocol, mechanism)
    return {**settings, **{f"BP_FAUST_BROKER_{name}": more[name] for name in more}}


def _elasticsearch(place: Place, **more: str) -> Environment:
    settings = {"URL": place.elasticsearch.url, "CA_CERTS": str(place.certificates.authority), **more}
    return {f"BP_FAUST_ELASTICSEARCH_{name}": value for name, value in settings.items()}


_URL = "set BP_FAUST_BROKER_URL to where it is"


async def _other_partitions(place: Place, stack: AsyncExitStack) -> None:
    await create_topic(place.settings.kafka, f"{place.settings.app_id}-readings", 3)


async def _changelog_with_other_partitions(place: Place, stack: AsyncExitStack) -> None:
    await create_topic(place.settings.kafka, f"{place.settings.app_id}-readings", 4)
    await create_topic(place.settings.kafka, f"{place.settings.app_id}-patients-changelog", 3)


async def _topics_alone(place: Place, stack: AsyncExitStack) -> None:
    operations = ["READ", "WRITE", "CREATE"]
    await asyncio.to_thread(place.kafka.allow, WARD, "topic", place.settings.app_id, operations, prefixed=True)


async def _topics_and_group(place: Place, stack: AsyncExitStack) -> None:
    await _topics_alone(place, stack)
    await asyncio.to_thread(place.kafka.allow, WARD, "group", place.settings.app_id, ["READ"])


async def _unfit_index(place: Place, stack: AsyncExitStack) -> None:
    async with AsyncElasticsearch(place.settings.elasticsearch_url) as client:
        mapping = {"properties": {"patient_id": {"type": "text"}}}
        await client.indices.create(index=place.settings.index, mappings=mapping)


async def _used_data_directory(place: Place, stack: AsyncExitStack) -> None:
    first = await asyncio.to_thread(WorkerProcess, place.settings, "first", {})
    stack.callback(first.end)
    await asyncio.to_thread(first.wait_until_ready)


MIS_SETUPS = [
    MisSetup(
        "no Kafka at the address",
        _URL,
        lambda place: _broker(f"127.0.0.1:{free_port()}"),
    ),
    MisSetup(
        "Kafka's name is unknown",
        f"{UNKNOWN} (the name does not resolve)",
        lambda place: _broker(UNKNOWN),
    ),
    MisSetup(
        "a website in Kafka's place",
        "does not speak Kafka's protocol: set BP_FAUST_BROKER_URL",
        lambda place: _broker(place.website),
    ),
    MisSetup(
        "silence in Kafka's place",
        _URL,
        lambda place: _broker(place.silent),
    ),
    MisSetup(
        "Kafka sends us to an unknown name",
        "set its advertised.listeners to an address that this machine reaches",
        lambda place: _broker(place.kafka.address("ELSEWHERE")),
    ),
    MisSetup(
        "Kafka's address without a port",
        "write it like kafka://host:9092",
        lambda place: _broker("127.0.0.1:port"),
    ),
    MisSetup(
        "a password in Kafka's address",
        "leave them out of it",
        lambda place: _broker(f"{WARD}:{SECRET}@{place.kafka.address('SASL_SSL')}"),
    ),
    MisSetup(
        "another authority of Kafka",
        "set BP_FAUST_BROKER_CA_CERTS to the file",
        lambda place: _secure(place, "SASL_SSL", CA_CERTS=str(place.kafka.certificates.other_authority)),
    ),
    MisSetup(
        "Kafka's certificate for another name",
        "set BP_FAUST_BROKER_URL to the name that it was made for",
        lambda place: _secure(place, "SASL_SSL", URL=f"kafka://localhost:{place.kafka.ports['SASL_SSL']}"),
    ),
    MisSetup(
        "no file of Kafka's authority",
        "BP_FAUST_BROKER_CA_CERTS is /nowhere.pem, which cannot be used",
        lambda place: _secure(place, "SASL_SSL", CA_CERTS="/nowhere.pem"),
    ),
    MisSetup(
        "no certificate for Kafka",
        "set BP_FAUST_BROKER_CLIENT_CERT",
        lambda place: {
            name: value for name, value in _secure(place, "SSL").items() if not name.endswith("CLIENT_CERT")
        },
    ),
    MisSetup(
        "a wrong password for Kafka, SCRAM",
        "does not accept BP_FAUST_BROKER_USERNAME with BP_FAUST_BROKER_PASSWORD",
        lambda place: _secure(place, "SASL_SSL", "SCRAM-SHA-512", PASSWORD=SECRET),
    ),
    MisSetup(
        "a wrong password for Kafka, PLAIN",
        "does not accept BP_FAUST_BROKER_USERNAME with BP_FAUST_BROKER_PASSWORD",
        lambda place: _secure(place, "SASL_SSL", "PLAIN", PASSWORD=SECRET),
    ),
    MisSetup(
        "an unknown user of Kafka",
        "does not accept BP_FAUST_BROKER_USERNAME with BP_FAUST_BROKER_PASSWORD",
        lambda place: _secure(place, "SASL_SSL", USERNAME="nobody"),
    ),
    MisSetup(
        "a mechanism that Kafka lacks",
        "set BP_FAUST_BROKER_SASL_MECHANISM to what it is set up for",
        lambda place: _secure(place, "SASL_PLAINTEXT", "PLAIN"),
    ),
    MisSetup(
        "TLS to a port without",
        "does not speak TLS: set BP_FAUST_BROKER_URL to where Kafka does",
        lambda place: _secure(place, "SASL_SSL", URL=f"kafka://{place.kafka.address('SASL_PLAINTEXT')}"),
    ),
    MisSetup(
        "no TLS to a port with it",
        "speaks TLS on that port: set BP_FAUST_BROKER_SECURITY_PROTOCOL to SSL or SASL_SSL",
        lambda place: _broker(place.kafka.address("SASL_SSL")),
    ),
    MisSetup(
        "a user to a port without users",
        "set BP_FAUST_BROKER_SECURITY_PROTOCOL to PLAINTEXT",
        lambda place: _secure(place, "SASL_PLAINTEXT", URL=f"kafka://{place.kafka.bootstrap}"),
    ),
    MisSetup(
        "no user to a port with users",
        "set BP_FAUST_BROKER_SECURITY_PROTOCOL, which is PLAINTEXT, to what that port",
        lambda place: _broker(place.kafka.address("SASL_PLAINTEXT")),
    ),
    MisSetup(
        "a user where the protocol has none",
        "BP_FAUST_BROKER_SECURITY_PROTOCOL is PLAINTEXT, which makes no use of it",
        lambda place: _broker(place.settings.kafka, USERNAME=WARD),
    ),
    MisSetup(
        "missing topics without the right to create them",
        "with as many partitions as stand behind each, or give",
        lambda place: _secure(place, "SASL_SSL"),
    ),
    MisSetup(
        "no right to the group", "give it READ on the group", lambda place: _secure(place, "SASL_SSL"), _topics_alone
    ),
    MisSetup(
        "no right to transactions",
        "give it WRITE on transactional ids that begin with",
        lambda place: _secure(place, "SASL_SSL"),
        _topics_and_group,
    ),
    MisSetup(
        "a secret's file that is not there",
        "BP_FAUST_WEB_TOKEN_FILE is /nowhere, which cannot be read",
        lambda place: {"BP_FAUST_WEB_TOKEN_FILE": "/nowhere"},
    ),
    MisSetup(
        "a secret that is set twice",
        "are both set: leave one of them out",
        lambda place: {"BP_FAUST_WEB_TOKEN_FILE": "/nowhere", "BP_FAUST_WEB_TOKEN": SECRET},
    ),
    MisSetup(
        "a data directory that cannot be made",
        "set BP_FAUST_DATADIR to one that this user may write",
        lambda place: {"BP_FAUST_DATADIR": f"{place.certificates.authority}/data"},
    ),
    MisSetup(
        "Elasticsearch's name is unknown",
        "does not resolve: set BP_FAUST_ELASTICSEARCH_URL",
        lambda place: _elasticsearch(place, URL="https://elasticsearch.invalid:9200"),
    ),
    MisSetup(
        "an address of Elasticsearch that is none",
        "BP_FAUST_ELASTICSEARCH_URL must have a scheme",
        lambda place: {"BP_FAUST_ELASTICSEARCH_URL": "localhost:9200"},
    ),
    MisSetup(
        "a website in Elasticsearch's place",
        "does not answer like Elasticsearch (404): set BP_FAUST_ELASTICSEARCH_URL",
        lambda place: {"BP_FAUST_ELASTICSEARCH_URL": f"http://{place.website}"},
    ),
    MisSetup(
        "TLS to an Elasticsearch without",
        "does not speak TLS",
        lambda place: _elasticsearch(place, URL=place.settings.elasticsearch_url.replace("http:", "https:")),
    ),
    MisSetup(
        "another authority of Elasticsearch",
        "set BP_FAUST_ELASTICSEARCH_CA_CERTS to the file",
        lambda place: _elasticsearch(place, CA_CERTS=str(place.certificates.other_authority)),
    ),
    MisSetup(
        "no file of Elasticsearch's authority",
        "BP_FAUST_ELASTICSEARCH_CA_CERTS is /nowhere.pem, which cannot be used",
        lambda place: _elasticsearch(place, CA_CERTS="/nowhere.pem"),
    ),
    MisSetup(
        "a wrong API key",
        "does not accept our credentials (401): set BP_FAUST_ELASTICSEARCH_API_KEY",
        lambda place: _elasticsearch(place, API_KEY=SECRET),
    ),
    MisSetup(
        "a wrong password for Elasticsearch",
        "does not accept our credentials (401)",
        lambda place: _elasticsearch(place, USERNAME=secured_elasticsearch.USERNAME, PASSWORD=SECRET),
    ),
    MisSetup(
        "no credentials for Elasticsearch",
        "does not accept our credentials (401)",
        _elasticsearch,
    ),
    MisSetup(
        "a topic with other partitions",
        "BP_FAUST_TOPIC_PARTITIONS is 4: set it to 3",
        _nothing,
        _other_partitions,
    ),
    MisSetup(
        "a changelog with other partitions than its source",
        "-patients-changelog has 3",
        _nothing,
        _changelog_with_other_partitions,
    ),
    MisSetup(
        "an index whose mapping does not fit",
        "is of type text and must be keyword",
        _nothing,
        _unfit_index,
    ),
    MisSetup(
        "two workers on one data directory",
        "is in use by another worker: give each worker its own BP_FAUST_DATADIR",
        lambda place: {"BP_FAUST_DATADIR": str(place.settings.directory / "first-data")},
        _used_data_directory,
    ),
]
