"""Stand in front of a real Elasticsearch and pass on what comes; others say what becomes of it meanwhile."""

from __future__ import annotations

import io
import ssl
from types import TracebackType
from typing import TypeVar

from aiohttp import ClientSession, web

from tests.worker_process import free_port

#: Above any bulk request that a test sends; aiohttp's own limit of 1 MiB is below most.
_LARGEST_BODY = 256 * 1024 * 1024

#: What is between two neighbours only, and what aiohttp writes itself.
_OF_A_CONNECTION = {"host", "content-length", "accept-encoding", "transfer-encoding"}

_Proxy = TypeVar("_Proxy", bound="ElasticsearchProxy")


class ElasticsearchProxy:
    """Listen on a port of its own, for as long as an asynchronous context lasts.

    With an SSL context it speaks TLS, without one plain HTTP.
    """

    def __init__(self, target: str, ssl_context: ssl.SSLContext | None = None) -> None:
        self._target = target.rstrip("/")
        self._ssl_context = ssl_context
        self._port = free_port()
        self.url = f"{'https' if ssl_context else 'http'}://127.0.0.1:{self._port}"

    async def handle(self, request: web.Request) -> web.Response:
        """Answer a request."""
        return await self.pass_on(request, await request.read())

    async def __aenter__(self: _Proxy) -> _Proxy:
        # aiohttp would ask for gzip of its own accord, and subclasses read answers.
        self._session = ClientSession(auto_decompress=False, skip_auto_headers=("Accept-Encoding",))
        await self._listen()
        return self

    async def _listen(self) -> None:
        application = web.Application(client_max_size=_LARGEST_BODY)
        application.router.add_route("*", "/{path:.*}", self.handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.05, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, ssl_context=self._ssl_context, reuse_address=True)
        await site.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()
        await self._session.close()

    async def pass_on(self, request: web.Request, body: bytes, left_out: frozenset[str] = frozenset()) -> web.Response:
        """Return what Elasticsearch answers to a request with this body, some of its headers left out."""
        headers = {
            name: value for name, value in request.headers.items() if name.lower() not in _OF_A_CONNECTION | left_out
        }
        # As a file, since aiohttp warns of large bodies that are none, and a warning is an error here.
        content = io.BytesIO(body) if body else None
        async with self._session.request(
            request.method, self._target + request.path_qs, data=content, headers=headers
        ) as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _OF_A_CONNECTION}
            return web.Response(status=answer.status, headers=kept, body=await answer.read())
