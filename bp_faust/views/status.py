"""Tell whoever runs this worker how it stands."""

from __future__ import annotations

from faust.web import Request, Response, View
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from bp_faust.app import app
from bp_faust.search.sink import are_reachable
from bp_faust.sinks import sinks
from bp_faust.views.answers import Liveness, Readiness, SinkState
from bp_faust.views.operations import operation


@app.page("/metrics", name="metrics")
class Metrics(View):
    """Tell Prometheus what this worker has done."""

    @operation(str, media_type="text/plain")
    async def get(self, request: Request) -> Response:
        """Return what is counted and measured in this process, in Prometheus' text format."""
        return self.bytes(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


@app.page("/livez", name="livez")
class Alive(View):
    """Tell that the process answers."""

    @operation(Liveness)
    async def get(self, request: Request) -> Response:
        """Return 200, and while tables are read up to date, how many changelog entries are left, and of how many."""
        return self.json(Liveness("alive", app.in_recovery, app.entries_to_recover, app.entries_of_recovery))


@app.page("/readyz", name="readyz")
class Ready(View):
    """Tell whether the worker has its partitions and is at work on them."""

    @operation(Readiness, other={503: Readiness})
    async def get(self, request: Request) -> Response:
        """Return 200 where it is ready, 503 where it starts, recovers or stops, or something is overdue or hindered.

        An Elasticsearch that does not answer is shown only: counting goes on without it, and so does everything else.
        """
        is_ready = app.is_ready
        return self.json(
            Readiness(
                status="ready" if is_ready else "not ready",
                recovering=app.in_recovery,
                entries_to_recover=app.entries_to_recover,
                entries_of_recovery=app.entries_of_recovery,
                alive=True,
                assigned=app.assigned,
                sink=SinkState(reachable=are_reachable(sinks), denied=any(sink.is_denied for sink in sinks)),
                no_sign_of=app.overdue,
                hindrances=app.hindrances,
            ),
            status=200 if is_ready else 503,
        )
