"""Answer for the charts of anomalies, which Elasticsearch makes."""

from __future__ import annotations

import asyncio
import time
from typing import cast

from elastic_transport import TransportError
from elasticsearch import ApiError
from faust.web import Request, Response, View

from bp_faust.app import app, settings
from bp_faust.search.charts import RANGES, Charts, RangeName, chart_search, other_types_search, read_charts
from bp_faust.search.retrying import address, describe
from bp_faust.sinks import client
from bp_faust.views.answers import Error
from bp_faust.views.operations import operation

#: How long Elasticsearch may take to answer, and for how long its answer is given to all who ask, in seconds.
_SEARCH_SECONDS = 8.0
_KEPT_SECONDS = 5.0

#: The searches of the last seconds, and when they began, by range.
_searches: dict[RangeName, tuple[float, asyncio.Task[Charts]]] = {}


@app.page("/charts/", name="charts")
class ChartsView(View):
    """Tell of the anomalies over a time."""

    @operation(Charts, query={"range": f"How far back: one of {', '.join(RANGES)}."}, other={503: Error})
    async def get(self, request: Request) -> Response:
        """Return what the charts show, no more than some seconds old; 503 where Elasticsearch does not answer."""
        name = request.query.get("range", "24h")
        if name not in RANGES:
            return self.error(422, f"Give one of {', '.join(RANGES)} as ?range=.")
        try:
            return self.json(await _charts(cast(RangeName, name)))
        except (TransportError, ApiError) as exc:
            return self.error(503, f"There are no charts: Elasticsearch at {address(client)} {describe(exc)}.")


async def _charts(name: RangeName) -> Charts:
    begun, task = _searches.get(name, (float("-inf"), None))
    if task is None or (task.done() and time.monotonic() > begun + _KEPT_SECONDS):
        task = asyncio.create_task(_search(name))
        _searches[name] = (time.monotonic(), task)
    return await asyncio.shield(task)


async def _search(name: RangeName) -> Charts:
    until, others = time.time(), None
    index = settings.elasticsearch_index
    searching = client.options(request_timeout=_SEARCH_SECONDS)
    answer = await searching.search(
        index=index, ignore_unavailable=True, **chart_search(name, until, settings.default_time_zone)
    )
    if "aggregations" in answer and (left := other_types_search(name, until, answer.body)) is not None:
        others = (await searching.search(index=index, ignore_unavailable=True, **left)).body
    return read_charts(name, until, answer.body, others, pseudonyms=settings.pseudonym_key is not None)
