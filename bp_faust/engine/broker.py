"""Reach the Kafka brokers outside Faust's own connections: to wait for them, to make topics, and to read them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
    for_code,
)
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth, server_list
from mode.utils.logging import get_logger
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    retry_if_result,
    stop_after_delay,
    stop_before_delay,
    wait_exponential,
    wait_fixed,
    wait_random,
)

from .broker_check import check_brokers
from .errors import BrokerSettingsError, BrokerUnavailableError, RightsError, TopicError

if TYPE_CHECKING:
    from .application import App

logger = get_logger(__name__)

#: How long a worker that starts waits for Kafka, in seconds. Then it ends, and its supervisor may start it again:
#: whoever mistyped the address is not to believe that it works.
_WAIT_SECONDS = 16.0

#: How long brokers may take to tell of new topics, in seconds.
_TOLD_SECONDS = 10.0

#: Whose coordinator to ask for, in Kafka's protocol.
_GROUP, _TRANSACTION = 0, 1

#: How long a look at whether Kafka answers may take, in seconds.
_LOOK_SECONDS = 5.0


class WantedTopic(NamedTuple):
    """Describe a topic that must be there."""

    name: str
    config: Mapping[str, str] = {}
    #: Whether its number of partitions must be the configured one: it is read or written by partition number.
    exact: bool = True
    #: How many partitions it is created with; None for the configured number.
    partitions: int | None = None


def client_settings(app: App) -> dict[str, Any]:
    """Return what every aiokafka client needs to reach the brokers: addresses, name, timeouts and credentials."""
    conf = app.conf
    return {
        "bootstrap_servers": server_list(conf.broker, 9092),
        "client_id": conf.broker_client_id,
        "request_timeout_ms": int(conf.broker_request_timeout * 1000),
        **credentials_to_aiokafka_auth(conf.broker_credentials, conf.ssl_context),
    }


def broker_address(app: App) -> str:
    """Return the brokers' addresses for a message, without credentials."""
    return ", ".join(server_list(app.conf.broker, 9092))


def committed_reader(app: App, fetch_bytes: int) -> AIOKafkaConsumer:
    """Return a consumer without a group that reads committed records, so many bytes of a partition at a time."""
    return AIOKafkaConsumer(
        isolation_level="read_committed",
        enable_auto_commit=False,
        max_partition_fetch_bytes=fetch_bytes,
        **client_settings(app),
    )


@contextlib.asynccontextmanager
async def admin_client(app: App) -> AsyncIterator[AIOKafkaAdminClient]:
    """Connect an admin client; raise BrokerUnavailableError or BrokerSettingsError where that fails, and why."""
    settings = client_settings(app)
    await check_brokers(settings)
    client = AIOKafkaAdminClient(**settings)
    try:
        try:
            await client.start()
        except (KafkaError, OSError) as exc:
            raise BrokerUnavailableError(
                f"Kafka does not answer at {broker_address(app)} any more: see what became of it."
            ) from exc
        yield client
    finally:
        await client.close()


async def wait_for_broker(app: App) -> None:
    """Wait until a broker answers, trying again with back-off and saying so.

    Raises BrokerUnavailableError where none does in time, BrokerSettingsError at once where none ever will.
    """

    def tell(state: RetryCallState) -> None:
        cause = state.outcome.exception() if state.outcome else None
        logger.warning("%s Trying again in %.1f s.", cause, state.upcoming_sleep)

    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type(BrokerUnavailableError),
        wait=wait_exponential(multiplier=0.5, max=5) + wait_random(0, 0.5),
        stop=stop_before_delay(_WAIT_SECONDS),
        before_sleep=tell,
        sleep=app.sleep,
        reraise=True,
    ):
        with attempt:
            if app.should_stop:
                return
            await check_brokers(client_settings(app))


def broker_answers(app: App) -> bool:
    """Tell whether Kafka answers now; takes some seconds where it does not, and is not for the event loop's thread."""
    try:
        asyncio.run(asyncio.wait_for(check_brokers(client_settings(app)), _LOOK_SECONDS))
    except (BrokerUnavailableError, BrokerSettingsError, asyncio.TimeoutError):
        return False
    return True


async def ensure_topics(app: App, wanted: Iterable[WantedTopic]) -> None:
    """Create the topics that are missing, Faust's own too, and check the partitions of those that are there.

    Raises TopicError where a topic may not be created, or has another number of partitions than it must have.
    """
    topics = all_topics(app, wanted)
    async with admin_client(app) as client:
        missing = await _missing(app, topics, client)
        if missing:
            await _create(app, topics, client, missing)
            await _wait_until_told(client, topics)
            # Another worker may have been faster.
            await _check_partitions(app, topics, client, topics)


async def missing_topics(app: App, wanted: Iterable[WantedTopic]) -> list[str]:
    """Return the topics that ``ensure_topics`` would create, changing nothing; raise TopicError where it would."""
    topics = all_topics(app, wanted)
    async with admin_client(app) as client:
        missing = await _missing(app, topics, client)
        if missing:
            await _create(app, topics, client, missing, validate_only=True)
    return missing


def all_topics(app: App, wanted: Iterable[WantedTopic]) -> dict[str, WantedTopic]:
    """Return topics by name, Faust's own with them."""
    topics = {topic.name: topic for topic in wanted}
    if not app.conf.topic_disable_leader:
        # Whoever has its partition is the leader.
        leader = f"{app.conf.id}-__assignor-__leader"
        topics[leader] = WantedTopic(leader, exact=False, partitions=1)
    return topics


async def _missing(app: App, topics: Mapping[str, WantedTopic], client: AIOKafkaAdminClient) -> list[str]:
    """Check the partitions of the topics that are there, and return the names of the others."""
    there = set(topics) & set(await client.list_topics())
    await _check_partitions(app, topics, client, there)
    return sorted(set(topics) - there)


async def _create(
    app: App,
    topics: Mapping[str, WantedTopic],
    client: AIOKafkaAdminClient,
    names: Iterable[str],
    *,
    validate_only: bool = False,
) -> None:
    new = [
        NewTopic(
            name,
            num_partitions=topics[name].partitions or app.conf.topic_partitions,
            replication_factor=app.conf.topic_replication_factor,
            topic_configs=dict(topics[name].config),
        )
        for name in names
    ]
    answer = await client.create_topics(new, validate_only=validate_only)
    _check_created(app, topics, answer.topic_errors)


async def _wait_until_told(client: AIOKafkaAdminClient, names: Collection[str]) -> None:
    """Wait until brokers tell of topics that were made: a consumer that joins before gets none of them."""

    async def untold() -> list[str]:
        described = await client.describe_topics(sorted(names))
        return [topic["topic"] for topic in described if topic["error_code"] or not topic["partitions"]]

    # Whoever joins too soon all the same learns of them when it asks for metadata again.
    await AsyncRetrying(
        retry=retry_if_result(bool),
        stop=stop_after_delay(_TOLD_SECONDS),
        wait=wait_fixed(0.1),
        retry_error_callback=lambda state: None,
    )(untold)


async def check_rights(app: App, transactional_id: str) -> None:
    """Raise RightsError where our user may not use the consumer group, or transactions of such an id.

    Who lacks these rights would only be told so when work begins, by one of many threads.
    """
    group = app.conf.id
    needed = [
        (_GROUP, group, f"READ on the group {group}"),
        (_TRANSACTION, transactional_id, f"WRITE on transactional ids that begin with {group}"),
    ]
    async with admin_client(app) as client:
        for kind, name, right in needed:
            try:
                await client.find_coordinator(name, kind)
            except (GroupAuthorizationFailedError, TransactionalIdAuthorizationFailed) as exc:
                raise RightsError(f"This user of Kafka lacks a right: give it {right}.") from exc
            except KafkaError as exc:
                # A new broker has yet to choose one; whoever asks next is told.
                logger.info("Kafka does not say who coordinates %s: %r", name, exc)


def _check_created(app: App, topics: Mapping[str, WantedTopic], told: Iterable[tuple[Any, ...]]) -> None:
    refused: dict[type[KafkaError], list[tuple[str, str]]] = {}
    for name, code, *rest in told:
        if code and for_code(code) is not TopicAlreadyExistsError:
            refused.setdefault(for_code(code), []).append((name, rest[0] if rest and rest[0] else ""))
    for error, names in refused.items():
        if error in (TopicAuthorizationFailedError, ClusterAuthorizationFailedError):
            partitions = {name: topics[name].partitions or app.conf.topic_partitions for name, _ in sorted(names)}
            raise TopicError(
                "Topics are missing, or this user of Kafka may not see them, and it may not create them: create them, "
                "with as many partitions as stand behind each, or give the user the right to: "
                f"{', '.join(f'{name} ({count})' for name, count in partitions.items())}."
            )
        name, text = names[0]
        raise TopicError(
            f"Topic {name} is missing and cannot be created ({error.__name__}{': ' + text if text else ''}): create it "
            f"with {topics[name].partitions or app.conf.topic_partitions} partitions."
        )


async def _check_partitions(
    app: App, topics: Mapping[str, WantedTopic], client: AIOKafkaAdminClient, names: Collection[str]
) -> None:
    if not names:
        return  # Kafka would describe them all
    wanted = app.conf.topic_partitions
    found = {topic["topic"]: len(topic["partitions"]) for topic in await client.describe_topics(sorted(names))}
    counts = {name: count for name, count in sorted(found.items()) if topics[name].exact and count}
    wrong = {name: count for name, count in counts.items() if count != wanted}
    if not wrong:
        return
    name, count = next(iter(wrong.items()))
    if set(counts.values()) == {count}:
        raise TopicError(
            f"Topic {name} has {count} partitions, and BP_FAUST_TOPIC_PARTITIONS is {wanted}: set it to {count}."
        )
    listed = ", ".join(f"{name} has {count}" for name, count in counts.items())
    raise TopicError(
        f"Topics must have as many partitions as each other and as BP_FAUST_TOPIC_PARTITIONS says, {wanted}, but "
        f"{listed}: create the ones that differ anew."
    )
