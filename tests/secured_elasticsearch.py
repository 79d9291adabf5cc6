"""Stand in front of a real Elasticsearch node, and do what its security module does: TLS, and who may come in."""

from __future__ import annotations

import ssl
from base64 import b64encode
from pathlib import Path

from aiohttp import web

from tests.elasticsearch_proxy import ElasticsearchProxy

API_KEY, USERNAME, PASSWORD = "a2V5LWlkOmtleQ==", "ward", "p@ss:of/ward"

_ACCEPTED = {f"ApiKey {API_KEY}", f"Basic {b64encode(f'{USERNAME}:{PASSWORD}'.encode()).decode()}"}


class SecuredElasticsearch(ElasticsearchProxy):
    """Pass on the requests of those who are known.

    With a certificate (a PEM file that holds its key too) it speaks TLS, without one plain HTTP.
    """

    def __init__(self, target: str, certificate: Path | None = None) -> None:
        context: ssl.SSLContext | None = None
        if certificate is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(certificate)
        super().__init__(target, context)

    async def handle(self, request: web.Request) -> web.Response:
        """Answer 401 to who is not known."""
        body = await request.read()
        if request.headers.get("Authorization") not in _ACCEPTED:
            error = {"type": "security_exception", "reason": "unable to authenticate"}
            return web.json_response(
                {"error": {"root_cause": [error], **error}, "status": 401},
                status=401,
                headers={"WWW-Authenticate": "ApiKey"},
            )
        return await self.pass_on(request, body, left_out=frozenset({"authorization"}))
