"""Serve the application's own pages, and pass requests on to the worker that has the key."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any, ClassVar

import msgspec
from aiohttp import ClientError, ClientTimeout
from aiohttp.web import Response
from faust.app.router import Router
from faust.exceptions import SameNode
from faust.types import TP
from faust.web.drivers.aiohttp import Web
from faust.web.exceptions import ServiceUnavailable
from yarl import URL

from .partitioner import partition_of

#: How long another worker may take to answer, in seconds.
_PEER_SECONDS = 15.0

#: What another worker must know of a request: by what it is let in, from which page it comes, and what its body is.
_PASSED_ON = ("Host", "Authorization", "Cookie", "Origin", "Sec-Fetch-Site", "Content-Type")


class OwnPagesWeb(Web):
    """Serve no page of Faust's: they show tables to whoever asks, and its root page always says that all is well."""

    default_blueprints: ClassVar[list[Any]] = []
    production_blueprints: ClassVar[list[Any]] = []
    debug_blueprints: ClassVar[list[Any]] = []
    optional_blueprints: ClassVar[list[Any]] = []

    def json(
        self,
        value: Any,
        *,
        content_type: str | None = None,
        status: int = 200,
        reason: str | None = None,
        headers: MutableMapping[str, str] | None = None,
    ) -> Any:
        """Answer with JSON; of Structs too, which Faust's encoder does not know."""
        return Response(
            body=msgspec.json.encode(value),
            content_type=content_type or "application/json",
            charset="utf-8",
            status=status,
            reason=reason,
            headers=headers,
        )


class PeerRouter(Router):
    """Pass on a request's body too, for which Faust's own router leaves the other worker waiting, and its origin."""

    def key_store(self, table_name: str, key: str) -> URL:
        """Return the address of the worker that has a key.

        Raises KeyError where nobody has it now. Faust asks its producer for the partition, which knows those of the
        topics alone that it has sent to.
        """
        topic = self._get_table_topic(self._get_table(table_name))
        assignor: Any = self._assignor
        return URL(assignor._tps_url[TP(topic, partition_of(key, self.app.conf.topic_partitions))])

    async def _route_req(self, dest_url: URL, web: Web, request: Any) -> Any:
        host, port = self._urlident(dest_url)
        if (host, port) == self._urlident(self.app.conf.canonical_url):
            raise SameNode
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        before = request.headers.get("X-Forwarded-For")
        headers["X-Forwarded-For"] = f"{before}, {request.remote}" if before else str(request.remote)
        try:
            async with self.app.http_client.request(
                request.method,
                request.url.with_host(host).with_port(port),
                headers=headers,
                data=await request.read(),
                allow_redirects=False,
                timeout=ClientTimeout(_PEER_SECONDS),
            ) as response:
                return web.text(await response.text(), content_type=response.content_type, status=response.status)
        except (ClientError, asyncio.TimeoutError) as exc:
            raise ServiceUnavailable("The worker that has this does not answer; try again in a moment.") from exc
