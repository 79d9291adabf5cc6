"""Look at the topics and the brokers as they are, without changing anything, for who asks what is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import UnknownTopicOrPartitionError
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int16, Int32, Schema, String

from .broker import WantedTopic, admin_client, check_rights

if TYPE_CHECKING:
    from .application import App

#: Where Kafka itself keeps what groups and transactions do; it makes them for the first who asks.
_OFFSETS, _TRANSACTIONS = "__consumer_offsets", "__transaction_state"

#: What a topic's config must not differ in: whether, how long and up to which size records are kept.
_KEEPING = ("cleanup.policy", "retention.ms", "max.message.bytes")

#: The settings of brokers that say how many of them transactions take.
_TRANSACTION_SETTINGS = ("transaction.state.log.replication.factor", "transaction.state.log.min.isr")

#: The number of an operation's bit, in Kafka's protocol.
_OPERATIONS = {"READ": 3, "WRITE": 4}


class _MetadataResponseV8(Response):
    API_KEY = 3
    API_VERSION = 8
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            Array(("node_id", Int32), ("host", String("utf-8")), ("port", Int32), ("rack", String("utf-8"))),
        ),
        ("cluster_id", String("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            Array(
                ("error_code", Int16),
                ("topic", String("utf-8")),
                ("is_internal", Boolean),
                (
                    "partitions",
                    Array(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", Array(Int32)),
                        ("isr", Array(Int32)),
                        ("offline_replicas", Array(Int32)),
                    ),
                ),
                ("authorized_operations", Int32),
            ),
        ),
        ("cluster_authorized_operations", Int32),
    )


class _MetadataRequestV8(RequestStruct):
    API_KEY = 3
    API_VERSION = 8
    RESPONSE_TYPE = _MetadataResponseV8
    SCHEMA = Schema(
        ("topics", Array(String("utf-8"))),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
    )


class _Describe(Request[_MetadataRequestV8]):
    """Ask for topics and what we may do with them, which aiokafka's own request cannot; brokers from 2.3 on know."""

    API_KEY = 3

    def __init__(self, topics: list[str]) -> None:
        self._topics = topics

    def build(self, request_struct_class: type[_MetadataRequestV8]) -> _MetadataRequestV8:
        return request_struct_class(self._topics, False, False, True)


class Installation(NamedTuple):
    """Describe what Kafka has of ours; whoever may not see something finds nothing of it here."""

    brokers: int
    #: The partitions that no broker leads for now, as topic/partition.
    leaderless: list[str]
    #: The operations that our user lacks, by topic.
    lacking: dict[str, list[str]]
    #: What topics keep in another way than they were made with, by topic: setting, value, and ours.
    differing: dict[str, list[tuple[str, str, str]]]
    #: The settings of the brokers that ask for more brokers than there are.
    too_few_for: list[str]


async def inspect(app: App, topics: Mapping[str, WantedTopic], needed: Mapping[str, Iterable[str]]) -> Installation:
    """Look at our topics, given the operations that we need on each; raise EngineError where Kafka cannot be reached.

    aiokafka's own errors come through where Kafka goes away meanwhile.
    """
    async with admin_client(app) as client:
        described = await _describe(client, [*topics, _TRANSACTIONS])
        there = {topic["topic"]: topic for topic in described["topics"] if not topic["error_code"]}
        ours = {name: there[name] for name in sorted(there) if name in topics}
        return Installation(
            len(described["brokers"]),
            [f"{name}/{partition}" for name, topic in ours.items() for partition in _leaderless(topic)],
            {name: lacking for name, topic in ours.items() if (lacking := _lacking(topic, needed[name]))},
            await _differing(client, {name: topics[name].config for name in ours}),
            [] if _TRANSACTIONS in there else await _too_few_for(client, described["brokers"]),
        )


def _leaderless(topic: Mapping[str, Any]) -> list[int]:
    return [part["partition"] for part in topic["partitions"] if part["leader"] < 0]


def _lacking(topic: Mapping[str, Any], needed: Iterable[str]) -> list[str]:
    return [operation for operation in needed if not topic["authorized_operations"] >> _OPERATIONS[operation] & 1]


async def check_used_rights(app: App, transactional_id: str) -> list[str]:
    """Check rights as a worker does when it starts, but where asking would make Kafka create its own topics.

    Return what was not asked for that reason.
    """
    async with admin_client(app) as client:
        described = await _describe(client, [_OFFSETS, _TRANSACTIONS])
    absent = {
        topic["topic"] for topic in described["topics"] if topic["error_code"] == UnknownTopicOrPartitionError.errno
    }
    if absent:
        return sorted(absent)
    await check_rights(app, transactional_id)
    return []


async def _describe(client: AIOKafkaAdminClient, names: list[str]) -> dict[str, Any]:
    return (await client._send_request(_Describe(names))).to_object()


async def _differing(
    client: AIOKafkaAdminClient, wanted: Mapping[str, Mapping[str, str]]
) -> dict[str, list[tuple[str, str, str]]]:
    asked = {name: [key for key in _KEEPING if key in config] for name, config in wanted.items()}
    found = await _configs(client, ConfigResourceType.TOPIC, {name: keys for name, keys in asked.items() if keys})
    differing = {
        name: [
            (key, values[key], wanted[name][key])
            for key in asked[name]
            if values.get(key) not in (None, wanted[name][key])
        ]
        for name, values in found.items()
    }
    return {name: some for name, some in differing.items() if some}


async def _too_few_for(client: AIOKafkaAdminClient, brokers: list[dict[str, Any]]) -> list[str]:
    """Return the brokers' settings for a topic of transactions that has yet to be made, and cannot be with them."""
    one = str(brokers[0]["node_id"])
    found = (await _configs(client, ConfigResourceType.BROKER, {one: list(_TRANSACTION_SETTINGS)})).get(one, {})
    return [f"{name} is {value}" for name, value in sorted(found.items()) if int(value) > len(brokers)]


async def _configs(
    client: AIOKafkaAdminClient, kind: ConfigResourceType, names: Mapping[str, list[str]]
) -> dict[str, dict[str, str]]:
    """Return settings by the name of their topic or broker; those that we may not see are left out."""
    if not names:
        return {}
    asked = [ConfigResource(kind, name, configs=dict.fromkeys(keys, "")) for name, keys in names.items()]
    return {
        resource["resource_name"]: {
            entry["config_names"]: entry["config_value"] for entry in resource["config_entries"]
        }
        for answer in await client.describe_configs(asked)
        for resource in answer.to_object()["resources"]
        if not resource["error_code"]
    }
