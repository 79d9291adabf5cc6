"""Tell how all workers together stand: once, or once a second for as long as somebody looks."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

import msgspec
from aiohttp_sse import sse_response
from faust.web import Request, Response, View
from yarl import URL

from bp_faust.app import app, settings
from bp_faust.clinical.state import timestamp
from bp_faust.settings.in_force import settings_in_force
from bp_faust.telemetry.installation import (
    Installation,
    Setting,
    System,
    WorkerOverview,
    WorkerSystem,
    installation_of,
    system_of,
)
from bp_faust.telemetry.worker_state import address, wanted_partitions, worker_overview, worker_system
from bp_faust.views.access import SECURITY_HEADERS, is_over
from bp_faust.views.live_overview import Broadcast, PeerAnswers
from bp_faust.views.operations import operation
from bp_faust.views.peers import LOCAL, ask_peer, ask_peers, own_credentials, peer_urls

#: How long a viewer may take to take an event, in seconds.
_SEND_SECONDS = 10.0

#: Where a worker tells of itself alone.
_OF_WORKER, _SYSTEM_OF_WORKER = "/overview/worker/", "/system/worker/"


async def _ask(peer: URL) -> WorkerOverview | None:
    return await ask_peer(peer.with_path(_OF_WORKER), own_credentials(), WorkerOverview)


_peers: PeerAnswers[URL, WorkerOverview] = PeerAnswers(_ask)


async def _make() -> str | None:
    answers, missing = await _peers.get(peer_urls())
    if app.should_stop:
        return None  # the tables are being closed
    return msgspec.json.encode(_with_this_worker(answers, [str(peer) for peer in missing])).decode()


def _with_this_worker(answers: list[WorkerOverview], missing: list[str]) -> Installation:
    return installation_of([worker_overview(), *answers], missing, app.conf.topic_partitions, timestamp(time.time()))


_overview = Broadcast(_make, _peers.close)


@app.page("/overview/", name="overview")
class Overview(View):
    """Tell how the installation stands."""

    @operation(Installation, query=LOCAL)
    async def get(self, request: Request) -> Response:
        """Return what the events of /events/ hold."""
        answers, missing = await ask_peers(request, _OF_WORKER, WorkerOverview)
        return self.json(_with_this_worker(answers, missing))


@app.page(_OF_WORKER, name="overview-worker")
class OverviewOfWorker(View):
    """Tell what one worker adds to the overview."""

    @operation(WorkerOverview)
    async def get(self, request: Request) -> Response:
        """Return what this worker adds."""
        return self.json(worker_overview())


@app.page("/system/", name="system")
class SystemView(View):
    """Tell what the installation is made of."""

    @operation(System, query=LOCAL)
    async def get(self, request: Request) -> Response:
        """Return workers, partitions, tables, and the settings of the worker that is asked."""
        answers, missing = await ask_peers(request, _SYSTEM_OF_WORKER, WorkerSystem)
        workers = [worker_system(), *answers]
        in_force = msgspec.convert(settings_in_force(settings, app.conf), list[Setting])
        return self.json(system_of(address(), workers, missing, wanted_partitions(), in_force))


@app.page(_SYSTEM_OF_WORKER, name="system-worker")
class SystemOfWorker(View):
    """Tell what one worker is made of."""

    @operation(WorkerSystem)
    async def get(self, request: Request) -> Response:
        """Return what this worker is made of."""
        return self.json(worker_system())


@app.page("/events/", name="events")
class Events(View):
    """Push the overview to whoever looks."""

    @operation(str, media_type="text/event-stream")
    async def get(self, request: Any) -> Any:
        """Send an event ``overview`` about once a second, until the worker stops or the session ends."""
        async with (
            sse_response(request, headers=SECURITY_HEADERS) as stream,
            contextlib.aclosing(_overview.listen()) as overviews,
        ):
            async for overview in overviews:
                if app.should_stop or is_over(request, settings):
                    break
                try:
                    await asyncio.wait_for(stream.send(overview, event="overview"), _SEND_SECONDS)
                except (ConnectionError, asyncio.TimeoutError):
                    if request.transport is not None:
                        request.transport.abort()
                    break
        return stream
