"""Tell whoever runs this worker how it stands."""

from __future__ import annotations

from typing import Any

from faust.web import Request, Response, View
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from bp_faust.app import app
from bp_faust.sinks import sinks


def _recovery() -> dict[str, Any]:
    return {
        "recovering": app.in_recovery,
        "entries_to_recover": app.entries_to_recover,
        "entries_of_recovery": app.entries_of_recovery,
    }


@app.page("/metrics", name="metrics")
class Metrics(View):
    """Tell Prometheus what this worker has done."""

    async def get(self, request: Request) -> Response:
        """Return what is counted and measured in this process, in Prometheus' text format."""
        return self.bytes(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


@app.page("/livez", name="livez")
class Alive(View):
    """Tell that the process answers."""

    async def get(self, request: Request) -> Response:
        """Return 200, and while tables are read up to date, how many changelog entries are left, and of how many."""
        return self.json({"status": "alive", **_recovery()})


@app.page("/readyz", name="readyz")
class Ready(View):
    """Tell whether the worker has its partitions and is at work on them."""

    async def get(self, request: Request) -> Response:
        """Return 200 where it is ready, 503 where it starts, recovers or stops, or something is overdue or hindered.

        An Elasticsearch that does not answer is shown only: counting goes on without it, and so does everything else.
        """
        is_ready = app.is_ready
        return self.json(
            {
                "status": "ready" if is_ready else "not ready",
                "alive": True,
                **_recovery(),
                "assigned": app.assigned,
                "sink": {
                    "reachable": all(sink.is_reachable for sink in sinks),
                    "denied": any(sink.is_denied for sink in sinks),
                },
                "no_sign_of": app.overdue,
                "hindrances": app.hindrances,
            },
            status=200 if is_ready else 503,
        )
