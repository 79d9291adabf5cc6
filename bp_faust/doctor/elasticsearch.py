"""Look at Elasticsearch: whether it answers, its version, the indices, what we may do, and its clock."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from elasticsearch import AsyncElasticsearch

from bp_faust.doctor.findings import LOOK_SECONDS, Finding, Outcome, finding, findings, skipped
from bp_faust.search.client import check_available
from bp_faust.search.inspection import Node, health, lacking_rights, node
from bp_faust.search.retrying import address
from bp_faust.search.templates import Properties, check_index

#: The major versions that the client speaks to.
_VERSIONS = ("8", "9")

#: How long one request may take, in seconds; a look may take two.
_REQUEST_SECONDS = LOOK_SECONDS - 2

#: How far clocks may be apart, in seconds.
_MOST_SECONDS_APART = 10.0


async def look_at_elasticsearch(
    client: AsyncElasticsearch, indices: Mapping[str, tuple[str, Properties]]
) -> list[Finding]:
    """Return a finding for each thing, given for what we keep the name and the fields of its index."""
    client = client.options(request_timeout=_REQUEST_SECONDS)
    names = ("version", "Elasticsearch's rights", "clock", *(f"index of {what}" for what in indices))
    answers = await finding("Elasticsearch", _answers(client), 2 * LOOK_SECONDS)
    if answers.outcome == "wrong":
        return [answers, *skipped(names, "Elasticsearch cannot be used")]
    looking = asyncio.ensure_future(node(client))
    looks = (
        _version(looking),
        _rights(client, [name for name, _ in indices.values()]),
        _clock(looking),
        *(_index(client, name, properties) for name, properties in indices.values()),
    )
    return [answers, *await findings(names, looks, looking)]


async def _answers(client: AsyncElasticsearch) -> tuple[Outcome, str]:
    await check_available(client)
    status = await health(client)
    if status == "red":
        return "warning", f"Answers at {address(client)}, but its health is red: see which of its shards are missing."
    return "ok", f"Answers at {address(client)}{f', its health is {status}' if status else ''}."


async def _version(looking: asyncio.Future[Node | None]) -> tuple[Outcome, str]:
    found = await asyncio.shield(looking)
    if found is None:
        return "skipped", "Elasticsearch does not tell; it would with the right monitor (cluster)."
    if found.version.partition(".")[0] not in _VERSIONS:
        return "wrong", f"Elasticsearch is {found.version}: use one of {' or '.join(_VERSIONS)}."
    return "ok", f"Elasticsearch {found.version}."


async def _rights(client: AsyncElasticsearch, indices: list[str]) -> tuple[Outcome, str]:
    lacking = await lacking_rights(client, indices)
    if lacking is None:
        return "ok", "Elasticsearch runs without its security module: whoever reaches it may do everything."
    if lacking:
        return "wrong", f"We lack rights in Elasticsearch: grant {', '.join(lacking)}."
    return "ok", "Templates and indices may be made and written."


async def _clock(looking: asyncio.Future[Node | None]) -> tuple[Outcome, str]:
    found = await asyncio.shield(looking)
    if found is None:
        return "skipped", "Elasticsearch does not tell the time; it would with the right monitor (cluster)."
    apart = abs(found.ahead)
    if apart > _MOST_SECONDS_APART:
        way = "behind" if found.ahead > 0 else "ahead of"
        return "warning", (
            f"This machine's clock is {apart:.0f} s {way} Elasticsearch's: let both be set by NTP, or readings of now "
            "may seem to be from the future."
        )
    return "ok", f"Within {max(1, round(apart))} s of Elasticsearch's."


async def _index(client: AsyncElasticsearch, name: str, properties: Properties) -> tuple[Outcome, str]:
    if await check_index(client, name, properties):
        return "ok", f"{name} is there, and our documents fit."
    return "ok", f"{name} is not there yet; a worker makes it."
