"""Ask the other workers for what only they know, and tell them what all must know."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from aiohttp import ClientError, ClientTimeout
from faust.web import Request
from yarl import URL

from bp_faust.app import app, settings
from bp_faust.views.access import credentials

#: How long other workers may take to answer, in seconds.
_PEER_SECONDS = 3.0

#: The parameter of the query of views that ask other workers.
LOCAL = {"local": "Only what this worker has."}

_Answer = TypeVar("_Answer")


async def ask_peers(
    request: Request, path: str, kind: type[_Answer], query: Mapping[str, Any] | None = None
) -> tuple[list[_Answer], list[str]]:
    """Return what the other workers answer for themselves, and the addresses of those that do not; none if ?local.

    They are asked the same unless there is another query, with what the request itself was let in by.
    """
    if "local" in request.query:
        return [], []
    peers, asked = peer_urls(), {**(request.query if query is None else query), "local": ""}
    answers = await asyncio.gather(
        *(ask_peer(peer.with_path(path).with_query(asked), credentials(request), kind) for peer in peers)
    )
    missing = [str(peer) for peer, answer in zip(peers, answers, strict=True) if answer is None]
    return [answer for answer in answers if answer is not None], missing


def peer_urls() -> list[URL]:
    """Return the addresses of the other workers that have tables."""
    own = URL(app.conf.canonical_url).authority
    urls = (URL(host) for host in app.router.tables_metadata())
    return [url for url in urls if url.authority and url.authority != own]


def own_credentials() -> dict[str, str]:
    """Return the headers by which this worker itself is let in by others."""
    token = settings.secret("web_token")
    return {"Authorization": f"Bearer {token}"} if token is not None else {}


async def delete_at_peers(path: str) -> None:
    """Have the other workers delete what is at a path; those that do not answer in time do not."""
    await asyncio.gather(*(_request("DELETE", peer.with_path(path), own_credentials()) for peer in peer_urls()))


async def ask_peer(url: URL, headers: dict[str, str], kind: type[_Answer]) -> _Answer | None:
    """Return what another worker answers, None where that is not 200, in time."""
    answer = await _request("GET", url, headers)
    try:
        return msgspec.json.decode(answer, type=kind) if answer is not None else None
    except msgspec.DecodeError:
        return None


async def _request(method: str, url: URL, headers: dict[str, str]) -> bytes | None:
    try:
        async with app.http_client.request(
            method, url, headers=headers, timeout=ClientTimeout(_PEER_SECONDS), allow_redirects=False
        ) as response:
            return await response.read() if response.status == 200 else None
    except (ClientError, TimeoutError, asyncio.TimeoutError):
        return None
