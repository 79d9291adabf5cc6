"""Stand in front of a real Elasticsearch and break what passes, for tests of the writer and of the whole worker."""

from __future__ import annotations

import asyncio
import socket
import zlib
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, NamedTuple

import orjson
from aiohttp import web

from tests.elasticsearch_proxy import ElasticsearchProxy

_ERROR_TYPES = {
    400: "document_parsing_exception",
    403: "security_exception",
    409: "version_conflict_engine_exception",
    429: "es_rejected_execution_exception",
    503: "unavailable_shards_exception",
}


class SentDocument(NamedTuple):
    """Hold a document's action, and its lines of a bulk request."""

    action: str
    index: str
    identity: str
    lines: bytes


class FaultProxy(ElasticsearchProxy):
    """Pass requests on to Elasticsearch, or misbehave in one of the ways below until ``heal`` is called.

    ``url`` stays the same throughout, also while connections are refused. ``sent`` counts, by index, how often each
    document id came in a bulk request, passed on or not.
    """

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self.sent: dict[str, Counter[str]] = defaultdict(Counter)
        #: By status, the ids of the documents that damage_items struck.
        self.struck: dict[int, set[str]] = defaultdict(set)
        #: Requests of any kind that arrived, whatever became of them.
        self.arrived = 0
        self._status: int | None = None
        self._swallowing = False
        self._largest: int | None = None
        self._item_faults: dict[int, float] = {}
        self._damaged_index = ""
        #: Keeps the port while nobody listens on it.
        self._placeholder: socket.socket | None = None

    def answer_with(self, status: int) -> None:
        """Answer everything with this status."""
        self._status = status

    def swallow(self) -> None:
        """Accept connections and requests, and never answer: a black hole."""
        self._swallowing = True

    def limit_body(self, size: int) -> None:
        """Answer 413 to a body of more than size bytes."""
        self._largest = size

    def damage_items(self, status: int, share: float, index: str) -> None:
        """Answer this status for a share of an index's documents, chosen by their ids, without passing them on.

        Only what is answered with 409 is passed on, as it says that the index has the document. A document meets 429,
        503 and 403 once, 400 and 409 each time.
        """
        self._item_faults[status] = share
        self._damaged_index = index

    def chosen(self, status: int, identity: str) -> bool:
        """Tell whether damage_items strikes this document with this status."""
        share = self._item_faults.get(status, 0.0)
        return zlib.crc32(f"{status}/{identity}".encode()) % 10_000 < share * 10_000

    async def refuse(self) -> None:
        """Stop listening, so that connections are refused."""
        await self._runner.cleanup()
        self._placeholder = socket.socket()
        self._placeholder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._placeholder.bind(("127.0.0.1", self._port))

    async def heal(self) -> None:
        """Behave again; requests that were swallowed stay unanswered."""
        self._status = self._largest = None
        self._swallowing = False
        self._item_faults.clear()
        if self._placeholder is not None:
            self._placeholder.close()
            self._placeholder = None
            await self._listen()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._placeholder is not None:
            self._placeholder.close()
        await super().__aexit__(kind, error, trace)

    async def handle(self, request: web.Request) -> web.Response:
        """Do with a request what is to be done at the moment."""
        body = await request.read()
        self.arrived += 1
        documents = _documents(body) if request.path.endswith("/_bulk") else []
        for document in documents:
            self.sent[document.index][document.identity] += 1
        if self._swallowing:
            await asyncio.Event().wait()
        if self._status is not None:
            return _error(self._status)
        if self._largest is not None and len(body) > self._largest:
            return web.Response(status=413)
        if documents and self._item_faults:
            return await self._damage(request, documents)
        return await self.pass_on(request, body)

    async def _damage(self, request: web.Request, documents: list[SentDocument]) -> web.Response:
        faults = [self._fault(document) for document in documents]
        passes = [fault in (None, 409) for fault in faults]
        passed = b"".join(document.lines for document, passed in zip(documents, passes, strict=True) if passed)
        headers = {"X-Elastic-Product": "Elasticsearch", "Content-Type": "application/json"}
        answer: dict[str, Any] = {"errors": False, "items": []}
        if passed:
            response = await self.pass_on(request, passed)
            if response.status != 200:
                return response
            assert isinstance(response.body, bytes)
            headers, answer = dict(response.headers), orjson.loads(response.body)
        real = iter(answer["items"])
        answers = [next(real) if passed else None for passed in passes]
        answer["items"] = [
            item if fault is None else {document.action: _item_error(fault)}
            for item, document, fault in zip(answers, documents, faults, strict=True)
        ]
        answer["errors"] = answer["errors"] or any(fault is not None for fault in faults)
        return web.Response(headers=headers, body=orjson.dumps(answer))

    def _fault(self, document: SentDocument) -> int | None:
        if document.index != self._damaged_index:
            return None
        for status in self._item_faults:
            met = document.identity in self.struck[status] and status not in (400, 409)
            if self.chosen(status, document.identity) and not met:
                self.struck[status].add(document.identity)
                return status
        return None


def _documents(body: bytes) -> list[SentDocument]:
    """Split a bulk request into its documents."""
    lines = iter(body.splitlines(keepends=True))
    documents = []
    for line in lines:
        ((action, details),) = orjson.loads(line).items()
        source = b"" if action == "delete" else next(lines)
        documents.append(SentDocument(action, details["_index"], details["_id"], line + source))
    return documents


def _item_error(status: int) -> dict[str, Any]:
    return {"status": status, "error": {"type": _ERROR_TYPES[status], "reason": "made up by the fault proxy"}}


def _error(status: int) -> web.Response:
    body = {"error": {"type": _ERROR_TYPES.get(status, "exception"), "reason": "made up by the fault proxy"}}
    return web.json_response(body, status=status)


async def _refuse(proxy: FaultProxy) -> None:
    await proxy.refuse()


async def _swallow(proxy: FaultProxy) -> None:
    proxy.swallow()


async def _overload(proxy: FaultProxy) -> None:
    proxy.answer_with(429)


async def _fail(proxy: FaultProxy) -> None:
    proxy.answer_with(503)


#: The ways in which all of Elasticsearch can be away.
OUTAGES: dict[str, Callable[[FaultProxy], Awaitable[None]]] = {
    "connection refused": _refuse,
    "429": _overload,
    "black hole": _swallow,
    "503": _fail,
}
