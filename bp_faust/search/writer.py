"""Write documents to Elasticsearch in bulk until each is stored or refused for good."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator

from elastic_transport import TransportError
from elasticsearch import ApiError, AsyncElasticsearch

from bp_faust.search.answers import DENIED, Verdict, error_type, is_later, judge, refusal
from bp_faust.search.availability import Availability
from bp_faust.search.documents import Document, Entry, Refused, newest, requests
from bp_faust.search.errors import SearchDeniedError, SearchError
from bp_faust.search.retrying import OnRetry, TryAgain, address, describe, note_retry, retrying

#: Whole-request answers that a single bad or large document can provoke: 400 for one that Elasticsearch's validation
#: of the request stumbles over, such as an id above 512 bytes, 413 for a body above http.max_content_length.
_BLAMES_A_DOCUMENT = frozenset({400, 413})

#: How long a request's body may be, in bytes, but for a single larger document.
_MAX_BYTES = 5_000_000

#: How many requests are under way at a time.
_IN_FLIGHT = 2

_HEADERS = {"accept": "application/json", "content-type": "application/x-ndjson"}
#: Trims the answer to what decides: a fifth of its bytes.
_FILTER = {"filter_path": "errors,items.*.status,items.*.error"}


class _DocumentToBlame(Exception):
    """Say that Elasticsearch refused a whole request for something that one of its documents may have caused."""

    def __init__(self, status: int, error: object) -> None:
        super().__init__(status)
        self.status = status
        self.error = error


class BulkWriter:
    """Write versioned documents to Elasticsearch, as often as it takes.

    External versions make every request safe to repeat: an older repeat never undoes a newer document. Nothing asks for
    a refresh, so documents show in searches after the index's own refresh interval (a second, unless set).

    The counters only grow, for metrics: ``documents`` stored (the same version again included), ``refused`` for good,
    ``requests`` sent, ``retries`` (requests sent again for some or all of their documents), ``seconds`` spent in write.
    """

    def __init__(
        self,
        client: AsyncElasticsearch,
        *,
        max_documents: int = 5_000,
        wait_first: float = 0.1,
        wait_longest: float = 5.0,
        on_retry: OnRetry = note_retry,
        on_request: Callable[[int], None] = lambda requests: None,
        index: str | None = None,
    ) -> None:
        """Send requests of up to max_documents through client, a few at a time.

        Between tries it waits wait_first seconds, then twice as long each time up to wait_longest, plus jitter.
        on_retry is told each time, in one sentence that holds no document content. on_request is told before each
        request how long it may take until it is answered: as long as so many requests, one after the other, as it may
        have to wait for others. The log names the index, where there is only one.
        """
        self.documents = 0
        self.refused = 0
        self.requests = 0
        self.retries = 0
        self.seconds = 0.0
        self._client = client
        self._address = address(client)
        self.availability = Availability(self._address, index=index)
        self._max_documents = max_documents
        self._slots = asyncio.Semaphore(_IN_FLIGHT)
        #: How many requests are waiting for a slot.
        self._waiting = 0
        self._wait_first = wait_first
        self._wait_longest = wait_longest
        self._on_retry = on_retry
        self._on_request = on_request

    async def write(self, documents: Iterable[Document]) -> list[Refused]:
        """Store documents durably; return those that Elasticsearch refused for good, in no particular order.

        Of several versions of a document only the highest is sent. Failures that pass are retried without end, for the
        failed documents only.

        Raises SearchDeniedError at once where our credentials do not suffice, SearchError where what answers is not an
        Elasticsearch that we can use; then, and where it is cancelled, some documents may be stored, and all of them
        should be written again.
        """
        started = time.perf_counter()
        unique = newest(documents)
        refused: list[Refused] = []
        batches = requests(unique, self._max_documents, _MAX_BYTES)
        try:
            await self._deliver_all(batches, refused)
        finally:
            self.seconds += time.perf_counter() - started
        self.documents += len(unique) - len(refused)
        self.refused += len(refused)
        return refused

    async def _deliver_all(self, batches: Iterator[list[Entry]], refused: list[Refused]) -> None:
        async def take_batches() -> None:
            for entries in batches:
                await self._deliver(entries, refused)

        takers = [asyncio.create_task(take_batches()) for _ in range(_IN_FLIGHT)]
        try:
            await asyncio.gather(*takers)
        finally:
            for taker in takers:
                taker.cancel()
            await asyncio.gather(*takers, return_exceptions=True)

    async def _deliver(self, entries: list[Entry], refused: list[Refused]) -> None:
        """Send entries until each is stored or refused, halving the request where one document spoils it for all."""
        try:
            async for attempt in retrying(self._address, self._tell, self._wait_first, self._wait_longest):
                with attempt:
                    verdict = await self._send(entries)
                    refused += verdict.refused
                    if verdict.postponed:
                        count = len(entries)
                        entries = verdict.postponed
                        raise TryAgain(f"put off {len(entries)} of {count} documents ({verdict.cause})")
        except _DocumentToBlame as blame:
            if len(entries) == 1:
                refused.append(refusal(entries[0].document, blame.status, blame.error))
                return
            middle = len(entries) // 2
            await self._deliver(entries[:middle], refused)
            await self._deliver(entries[middle:], refused)

    async def _send(self, entries: list[Entry]) -> Verdict:
        body = b"".join([entry.lines for entry in entries])
        try:
            async with self._slot():
                self.requests += 1
                answer = await self._client.perform_request(
                    "POST", "/_bulk", params=_FILTER, headers=_HEADERS, body=body
                )
        except TransportError as error:
            self.availability.down(describe(error))
            raise TryAgain(describe(error)) from error
        except ApiError as error:
            if is_later(error.status_code):
                self.availability.down(describe(error))
            else:
                self.availability.up()
            raise self._failure(error) from error
        self.availability.up()
        items = answer.body.get("items", ())
        if len(items) != len(entries):
            raise TryAgain(f"answered for {len(items)} of {len(entries)} documents")
        if not answer.body.get("errors"):
            return Verdict([], [])
        verdict = judge(entries, items)
        if verdict.denied:
            raise self._denied(verdict.denied)
        return verdict

    @contextlib.asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        """Wait until one more request may be in flight, in the order of asking."""
        self._on_request(1 + self._waiting // _IN_FLIGHT)
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        try:
            self._on_request(1)
            yield
        finally:
            self._slots.release()

    def _failure(self, error: ApiError) -> Exception:
        """Choose what a whole request's failure means."""
        status = error.status_code
        if is_later(status):
            return TryAgain(describe(error))
        cause = error.body.get("error") if isinstance(error.body, dict) else error.body
        if status in DENIED:
            return self._denied(f"{status} {error_type(cause)}")
        if status in _BLAMES_A_DOCUMENT and error_type(cause) != "media_type_header_exception":
            return _DocumentToBlame(status, cause)
        return SearchError(
            f"{self._address} does not take bulk requests ({status} {error_type(cause)}): check that an "
            "Elasticsearch 8 answers at this address"
        )

    def _denied(self, cause: str) -> SearchDeniedError:
        return SearchDeniedError(
            f"Elasticsearch at {self._address} does not let us write ({cause}): check the API key, or user and "
            "password, that it has the rights create_index, index and delete, and that the index is not blocked"
        )

    def _tell(self, sentence: str) -> None:
        self.retries += 1
        self._on_retry(sentence)
