"""Look at Kafka: whether it answers, the topics, what we may do, and whether transactions can be had."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING

from bp_faust.doctor.findings import Finding, Outcome, finding, findings, skipped
from bp_faust.engine.broker import WantedTopic, all_topics, broker_address, client_settings, missing_topics
from bp_faust.engine.broker_check import check_brokers
from bp_faust.engine.inspection import Installation, check_used_rights, inspect

if TYPE_CHECKING:
    from bp_faust.engine.application import App

#: Brokers are asked at their own addresses after those of the settings, each within its own time.
_CONNECT_SECONDS = 17.0

_OTHERS = ("topics", "topics' settings", "Kafka's rights", "transactions")


async def look_at_kafka(app: App, ingest_topic: str, *, writes_readings: bool) -> list[Finding]:
    """Return a finding for each thing; ``writes_readings`` says whether a worker sends to the ingest topic itself."""
    answers = await finding("Kafka", _answers(app), _CONNECT_SECONDS)
    if answers.outcome == "wrong":
        return [answers, *skipped(_OTHERS, "Kafka cannot be used")]
    topics = all_topics(app, app.wanted_topics)
    looking = asyncio.ensure_future(inspect(app, topics, _needed(app, topics, ingest_topic, writes_readings)))
    looks: tuple[Awaitable[tuple[Outcome, str]], ...] = (
        _topics(app, topics, looking),
        _settings_of_topics(looking),
        _rights(app, looking),
        _transactions(looking),
    )
    return [answers, *await findings(_OTHERS, looks, looking)]


async def _answers(app: App) -> tuple[Outcome, str]:
    await check_brokers(client_settings(app))
    return "ok", f"Answers at {broker_address(app)}."


def _needed(
    app: App, topics: Mapping[str, WantedTopic], ingest_topic: str, writes_readings: bool
) -> dict[str, list[str]]:
    """Return which operations a worker does on each topic."""
    tables = {table.changelog_topic.get_topic_name() for table in app.tables.data.values()}
    return {
        name: [
            *(["READ"] if app.batched_topics.get(name) or name in tables else []),
            *(["WRITE"] if name != ingest_topic or writes_readings else []),
        ]
        for name in topics
    }


async def _topics(
    app: App, topics: Mapping[str, WantedTopic], looking: asyncio.Future[Installation]
) -> tuple[Outcome, str]:
    missing = await missing_topics(app, app.wanted_topics)
    leaderless = (await asyncio.shield(looking)).leaderless
    if leaderless:
        return "wrong", f"No broker leads {', '.join(leaderless)} now: start the brokers that are missing."
    if not missing:
        return "ok", f"All {len(topics)} are there, with {app.conf.topic_partitions} partitions where that counts."
    if len(missing) == len(topics):
        return "ok", "None is there yet; a worker makes them."
    return "warning", f"Missing, and made by the next worker that starts: {', '.join(missing)}."


async def _settings_of_topics(looking: asyncio.Future[Installation]) -> tuple[Outcome, str]:
    differing = (await asyncio.shield(looking)).differing
    if not differing:
        return "ok", "As they are made, as far as can be seen."
    told = [f"{key} of {name} is {value}, not {ours}" for name, some in differing.items() for key, value, ours in some]
    # What is not compacted is deleted after some days: a table could not be rebuilt any more.
    loses = any(key == "cleanup.policy" for some in differing.values() for key, _, _ in some)
    return "wrong" if loses else "warning", f"{'; '.join(told)}: set them with kafka-configs.sh --alter."


async def _rights(app: App, looking: asyncio.Future[Installation]) -> tuple[Outcome, str]:
    unasked = await check_used_rights(app, f"{app.conf.id}-")
    lacking = (await asyncio.shield(looking)).lacking
    if lacking:
        told = ", ".join(f"{' and '.join(operations)} on {name}" for name, operations in lacking.items())
        return "wrong", f"This user of Kafka lacks rights: give it {told}."
    if unasked:
        return (
            "ok",
            "Nothing is lacking on the topics; groups and transactions, which nobody has used yet, are not asked.",
        )
    return "ok", "The group, transactions and the topics that are there may be used."


async def _transactions(looking: asyncio.Future[Installation]) -> tuple[Outcome, str]:
    found = await asyncio.shield(looking)
    if found.too_few_for:
        return "wrong", (
            f"{' and '.join(found.too_few_for)} on a Kafka of {found.brokers}, which can begin no transaction so: set "
            f"both to {found.brokers} at most on every broker, or start more brokers."
        )
    return "ok", f"{found.brokers} broker{'s' if found.brokers != 1 else ''}, as many as transactions need."
