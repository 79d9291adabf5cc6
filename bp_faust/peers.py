"""Ask the other workers for what only they know."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from aiohttp import ClientError, ClientTimeout
from faust.web import Request
from yarl import URL

from bp_faust.app import app
from bp_faust.web_access import credentials

#: How long other workers may take to answer, in seconds.
_PEER_SECONDS = 3.0


async def ask_peers(request: Request, path: str, **query: Any) -> tuple[list[dict[str, Any]], list[str]]:
    """Return what the other workers answer for themselves, and the addresses of those that do not; none if ?local.

    They are asked with what the request itself was let in by.
    """
    if "local" in request.query:
        return [], []
    own = URL(app.conf.canonical_url).authority
    urls = (URL(host) for host in app.router.tables_metadata())
    peers = [url for url in urls if url.authority and url.authority != own]
    answers = await asyncio.gather(
        *(_ask(peer.with_path(path).with_query({"local": "", **query}), credentials(request)) for peer in peers)
    )
    missing = [str(peer) for peer, answer in zip(peers, answers, strict=True) if answer is None]
    return [answer for answer in answers if answer is not None], missing


async def _ask(url: URL, headers: dict[str, str]) -> dict[str, Any] | None:
    try:
        async with app.http_client.get(
            url, headers=headers, timeout=ClientTimeout(_PEER_SECONDS), allow_redirects=False
        ) as response:
            if response.status != 200:
                return None
            told: dict[str, Any] = orjson.loads(await response.read())
            return told
    except (ClientError, TimeoutError, asyncio.TimeoutError, ValueError):
        return None
