"""Do what a FHIR server does that is given a rest-hook Subscription: put an Observation to its endpoint."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from bp_faust.fhir.resources import observation


class FhirServer:
    """Take Subscriptions at ``/fhir/Subscription``, and fulfil each at once; use it as a context manager."""

    #: Whose Observation it puts.
    patient = "of-the-fhir-server"

    def __init__(self) -> None:
        #: What the endpoints answered.
        self.statuses: list[int] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                subscription = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                assert self.path == "/fhir/Subscription", self.path
                server.statuses.append(server.fulfil(subscription["channel"]))
                self.send_response(201)
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> FhirServer:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def fulfil(self, channel: dict[str, Any]) -> int:
        """Put an Observation to a rest-hook's endpoint, as R4 says; return the status of the answer."""
        headers = dict(header.split(": ", 1) for header in channel["header"])
        request = urllib.request.Request(
            f"{channel['endpoint']}/Observation/sent-by-rest-hook",
            json.dumps(observation(self.patient, 150, 95, identity="sent-by-rest-hook")).encode(),
            {**headers, "Content-Type": channel["payload"]},
            method="PUT",
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as exc:
            return exc.code
