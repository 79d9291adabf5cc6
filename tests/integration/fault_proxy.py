"""Stand in front of a real Elasticsearch and break what passes, for tests of the writer and of the whole worker."""

import asyncio
import socket
import zlib
from collections import Counter
from types import TracebackType
from typing import Any

import orjson
from aiohttp import ClientSession, web

#: Above any bulk request that a test sends; aiohttp's own limit of 1 MiB is below most.
_LARGEST_BODY = 256 * 1024 * 1024
_ERROR_TYPES = {
    400: "document_parsing_exception",
    403: "security_exception",
    409: "version_conflict_engine_exception",
    429: "es_rejected_execution_exception",
    503: "unavailable_shards_exception",
}


class FaultProxy:
    """Pass requests on to Elasticsearch, or misbehave in one of the ways below until ``heal`` is called.

    Use it as an asynchronous context manager; ``url`` stays the same throughout, also while connections are refused.
    ``sent`` counts how often each document id came in a bulk request, passed on or not; ``requests`` lists the number
    of documents of each bulk request.
    """

    def __init__(self, target: str) -> None:
        self._target = target.rstrip("/")
        self._port = _free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self.sent: Counter[str] = Counter()
        self.requests: list[int] = []
        #: Requests of any kind that arrived, whatever became of them.
        self.arrived = 0
        self._status: int | None = None
        self._swallowing = False
        self._largest: int | None = None
        self._item_faults: dict[int, float] = {}
        self._failed_once: set[tuple[int, str]] = set()

    def answer_with(self, status: int) -> None:
        """Answer everything with this status."""
        self._status = status

    def swallow(self) -> None:
        """Accept connections and requests, and never answer: a black hole."""
        self._swallowing = True

    def limit_body(self, size: int) -> None:
        """Answer 413 to a body of more than size bytes."""
        self._largest = size

    def damage_items(self, status: int, share: float) -> None:
        """Answer this status for a share of the documents, chosen by their ids, without passing them on.

        A document meets 429, 503 and 403 once; 400 and 409 stay.
        """
        self._item_faults[status] = share

    def chosen(self, status: int, identity: str) -> bool:
        """Tell whether damage_items strikes this document with this status."""
        share = self._item_faults.get(status, 0.0)
        return zlib.crc32(f"{status}/{identity}".encode()) % 10_000 < share * 10_000

    async def refuse(self) -> None:
        """Stop listening, so that connections are refused."""
        await self._runner.cleanup()

    async def heal(self) -> None:
        """Behave again; requests that were swallowed stay unanswered."""
        self._status = self._largest = None
        self._swallowing = False
        self._item_faults.clear()
        self._failed_once.clear()
        if not self._runner.sites:
            await self._listen()

    async def __aenter__(self) -> "FaultProxy":
        # aiohttp would ask for gzip of its own accord, and _damage has to read the answer.
        self._session = ClientSession(auto_decompress=False, skip_auto_headers=("Accept-Encoding",))
        await self._listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()
        await self._session.close()

    async def _listen(self) -> None:
        application = web.Application(client_max_size=_LARGEST_BODY)
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.05, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True).start()

    async def _handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.arrived += 1
        documents = _documents(body) if request.path.endswith("/_bulk") else []
        if documents:
            self.requests.append(len(documents))
            self.sent.update(identity for _, identity, _ in documents)
        if self._swallowing:
            await asyncio.Event().wait()
        if self._status is not None:
            return _refuse(self._status)
        if self._largest is not None and len(body) > self._largest:
            return web.Response(status=413)
        if documents and self._item_faults:
            return await self._damage(request, documents)
        status, headers, answer = await self._pass_on(request, body)
        return web.Response(status=status, headers=headers, body=answer)

    async def _damage(self, request: web.Request, documents: list[tuple[str, str, bytes]]) -> web.Response:
        faults = [self._fault(identity) for _, identity, _ in documents]
        passed = b"".join(lines for (_, _, lines), fault in zip(documents, faults, strict=True) if fault is None)
        headers = {"X-Elastic-Product": "Elasticsearch", "Content-Type": "application/json"}
        answer: dict[str, Any] = {"errors": False, "items": []}
        if passed:
            status, headers, raw = await self._pass_on(request, passed)
            if status != 200:
                return web.Response(status=status, headers=headers, body=raw)
            answer = orjson.loads(raw)
        real = iter(answer["items"])
        answer["items"] = [
            next(real) if fault is None else {action: _item_error(fault)}
            for (action, _, _), fault in zip(documents, faults, strict=True)
        ]
        answer["errors"] = answer["errors"] or any(fault is not None for fault in faults)
        return web.Response(headers=headers, body=orjson.dumps(answer))

    def _fault(self, identity: str) -> int | None:
        for status in self._item_faults:
            if self.chosen(status, identity) and (status, identity) not in self._failed_once:
                if status not in (400, 409):
                    self._failed_once.add((status, identity))
                return status
        return None

    async def _pass_on(self, request: web.Request, body: bytes) -> tuple[int, dict[str, str], bytes]:
        headers = {
            name: value
            for name, value in request.headers.items()
            if name.lower() not in ("host", "content-length", "accept-encoding")
        }
        async with self._session.request(
            request.method, self._target + request.path_qs, data=body or None, headers=headers
        ) as answer:
            kept = {
                name: value
                for name, value in answer.headers.items()
                if name.lower() not in ("content-length", "transfer-encoding")
            }
            return answer.status, kept, await answer.read()


def _documents(body: bytes) -> list[tuple[str, str, bytes]]:
    """Split a bulk request into action, document id and lines of each document."""
    lines = iter(body.splitlines(keepends=True))
    documents = []
    for line in lines:
        ((action, details),) = orjson.loads(line).items()
        source = b"" if action == "delete" else next(lines)
        documents.append((action, details["_id"], line + source))
    return documents


def _item_error(status: int) -> dict[str, Any]:
    return {"status": status, "error": {"type": _ERROR_TYPES[status], "reason": "made up by the fault proxy"}}


def _refuse(status: int) -> web.Response:
    body = {"error": {"type": _ERROR_TYPES.get(status, "exception"), "reason": "made up by the fault proxy"}}
    return web.json_response(body, status=status)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
