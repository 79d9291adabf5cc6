"""Stand in front of a real Elasticsearch node, and do what its security module does: TLS, and who may come in."""

from __future__ import annotations

import ssl
from base64 import b64encode
from pathlib import Path
from types import TracebackType

from aiohttp import ClientSession, web

from tests.worker_process import free_port

API_KEY, USERNAME, PASSWORD = "a2V5LWlkOmtleQ==", "ward", "p@ss:of/ward"

_LARGEST_BODY = 256 * 1024 * 1024
_ACCEPTED = {f"ApiKey {API_KEY}", f"Basic {b64encode(f'{USERNAME}:{PASSWORD}'.encode()).decode()}"}


class SecuredElasticsearch:
    """Pass on the requests of those who are known; use it as an asynchronous context manager.

    With a certificate (a PEM file that holds its key too) it speaks TLS, without one plain HTTP.
    """

    def __init__(self, target: str, certificate: Path | None = None) -> None:
        self._target = target.rstrip("/")
        self._port = free_port()
        self._context: ssl.SSLContext | None = None
        if certificate is not None:
            self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._context.load_cert_chain(certificate)
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self._port}"

    async def __aenter__(self) -> SecuredElasticsearch:
        self._session = ClientSession(auto_decompress=False, skip_auto_headers=("Accept-Encoding",))
        application = web.Application(client_max_size=_LARGEST_BODY)
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.05)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, ssl_context=self._context).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()
        await self._session.close()

    async def _handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        if request.headers.get("Authorization") not in _ACCEPTED:
            error = {"type": "security_exception", "reason": "unable to authenticate"}
            return web.json_response(
                {"error": {"root_cause": [error], **error}, "status": 401},
                status=401,
                headers={"WWW-Authenticate": "ApiKey"},
            )
        left_out = {"host", "content-length", "accept-encoding", "authorization"}
        headers = {name: value for name, value in request.headers.items() if name.lower() not in left_out}
        async with self._session.request(
            request.method, self._target + request.path_qs, data=body or None, headers=headers
        ) as answer:
            left_out = {"content-length", "transfer-encoding"}
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in left_out}
            return web.Response(status=answer.status, headers=kept, body=await answer.read())
