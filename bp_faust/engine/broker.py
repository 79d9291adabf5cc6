"""Reach the Kafka brokers outside Faust's own connections: to wait for them, and to make topics."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth, server_list
from mode.utils.logging import get_logger
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential, wait_random

from .errors import BrokerUnavailableError, TopicError

if TYPE_CHECKING:
    from .application import App

logger = get_logger(__name__)


#: How long Kafka may take to answer, in seconds.
_ANSWER_SECONDS = 5.0


class WantedTopic(NamedTuple):
    """Describe a topic that must be there."""

    name: str
    config: Mapping[str, str] = {}
    #: Whether its number of partitions must be the configured one: it is read or written by partition number.
    exact: bool = True


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


@contextlib.asynccontextmanager
async def admin_client(app: App) -> AsyncIterator[AIOKafkaAdminClient]:
    """Connect an admin client; raise BrokerUnavailableError, with the addresses, where that fails."""
    client = AIOKafkaAdminClient(**client_settings(app))
    try:
        with _quiet_aiokafka():
            await client.start()
    except (KafkaError, OSError) as exc:
        await client.close()
        raise BrokerUnavailableError(
            f"Kafka does not answer at {broker_address(app)}: start it, or set BP_FAUST_BROKER_URL to where it is."
        ) from exc
    try:
        yield client
    finally:
        await client.close()


async def wait_for_broker(app: App) -> None:
    """Wait until a broker answers, trying again with back-off and saying so."""

    def tell(state: RetryCallState) -> None:
        cause = state.outcome.exception() if state.outcome else None
        logger.warning("%s Trying again in %.1f s.", cause, state.upcoming_sleep)

    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type(BrokerUnavailableError),
        wait=wait_exponential(multiplier=0.5, max=10) + wait_random(0, 0.5),
        before_sleep=tell,
        sleep=app.sleep,
    ):
        with attempt:
            if app.should_stop:
                return
            async with admin_client(app):
                return


def answers(app: App) -> bool:
    """Tell whether Kafka answers now; takes some seconds where it does not, and is not for the event loop's thread."""

    async def ask() -> None:
        async with admin_client(app):
            pass

    try:
        asyncio.run(asyncio.wait_for(ask(), _ANSWER_SECONDS))
    except (BrokerUnavailableError, asyncio.TimeoutError):
        return False
    return True


async def ensure_topics(app: App, wanted: Iterable[WantedTopic]) -> None:
    """Create the topics that are missing, and check the partitions of those that are there.

    Raises TopicError where a topic may not be created, or has another number of partitions than it must have.
    """
    topics = {topic.name: topic for topic in wanted}
    async with admin_client(app) as client:
        missing = set(topics) - set(await client.list_topics())
        new = [
            NewTopic(
                name,
                num_partitions=app.conf.topic_partitions,
                replication_factor=app.conf.topic_replication_factor,
                topic_configs=dict(topics[name].config),
            )
            for name in sorted(missing)
        ]
        if new:
            answer = await client.create_topics(new)
            for name, code, *rest in answer.topic_errors:
                if code and for_code(code) is not TopicAlreadyExistsError:
                    raise TopicError(
                        f"Topic {name} is missing and cannot be created ({for_code(code).__name__}"
                        f"{': ' + rest[0] if rest and rest[0] else ''}): create it with {app.conf.topic_partitions} "
                        "partitions, or give this user the right to."
                    )
        for found in await client.describe_topics(sorted(topics)):
            _check_partitions(app, topics[found["topic"]], len(found["partitions"]))


def _check_partitions(app: App, topic: WantedTopic, partitions: int) -> None:
    if topic.exact and partitions and partitions != app.conf.topic_partitions:
        raise TopicError(
            f"Topic {topic.name} has {partitions} partitions, and BP_FAUST_TOPIC_PARTITIONS is "
            f"{app.conf.topic_partitions}: set it to {partitions}."
        )


@contextlib.contextmanager
def _quiet_aiokafka() -> Iterator[None]:
    # It logs every address that refuses as an error; our own message says it once.
    log = logging.getLogger("aiokafka")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)
