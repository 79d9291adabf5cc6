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
from bp_faust.installation import Setting, WorkerOverview, WorkerSystem, installation_of, system_of
from bp_faust.live_overview import Broadcast, PeerAnswers
from bp_faust.peers import ask_peer, ask_peers, peer_urls
from bp_faust.settings_in_force import settings_in_force
from bp_faust.web_access import SECURITY_HEADERS, is_over
from bp_faust.worker_state import address, wanted_partitions, worker_overview, worker_system

#: How long a viewer may take to take an event, in seconds.
_SEND_SECONDS = 10.0


async def _ask(peer: URL) -> WorkerOverview | None:
    token = settings.secret("web_token")
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    answer = await ask_peer(peer.with_path("/overview/").with_query("local"), headers)
    return msgspec.convert(answer, WorkerOverview) if answer is not None else None


_peers: PeerAnswers[URL, WorkerOverview] = PeerAnswers(_ask)


async def _make() -> str:
    answers, missing = await _peers.get(peer_urls())
    found = installation_of(
        [worker_overview(), *answers],
        [str(peer) for peer in missing],
        app.conf.topic_partitions,
        timestamp(time.time()),
    )
    return msgspec.json.encode(found).decode()


_overview = Broadcast(_make, _peers.close)


@app.page("/overview/", name="overview")
class Overview(View):
    """Tell how the installation stands."""

    async def get(self, request: Request) -> Response:
        """Return what /events/ tells, of all workers; with ``?local`` what this one adds to it."""
        if "local" in request.query:
            return self.json(msgspec.to_builtins(worker_overview()))
        answers, missing = await ask_peers(request, "/overview/")
        workers = [worker_overview(), *msgspec.convert(answers, list[WorkerOverview])]
        found = installation_of(workers, missing, app.conf.topic_partitions, timestamp(time.time()))
        return self.json(msgspec.to_builtins(found))


@app.page("/system/", name="system")
class SystemView(View):
    """Tell what the installation is made of."""

    async def get(self, request: Request) -> Response:
        """Return workers, partitions, tables, and this worker's settings; with ``?local`` what this worker is."""
        if "local" in request.query:
            return self.json(msgspec.to_builtins(worker_system()))
        answers, missing = await ask_peers(request, "/system/")
        workers = [worker_system(), *msgspec.convert(answers, list[WorkerSystem])]
        in_force = msgspec.convert(settings_in_force(settings, app.conf), list[Setting])
        found = system_of(address(), workers, missing, wanted_partitions(), in_force)
        return self.json(msgspec.to_builtins(found))


@app.page("/events/", name="events")
class Events(View):
    """Push the overview to whoever looks."""

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
