"""Take readings from FHIR servers and apps over HTTP, and put them on the ingest topic."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib.metadata import version
from typing import Any
from uuid import uuid4

import orjson
from aiohttp.web import HTTPRequestEntityTooLarge
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from faust.web import Request, Response, View
from yarl import URL

from bp_faust.app import app, settings
from bp_faust.fhir.interactions import (
    Answer,
    accept_bundle,
    capability_statement,
    create,
    failure,
    refuse,
    update,
)
from bp_faust.fhir.reasons import Reason
from bp_faust.models import Rejection
from bp_faust.topics import readings
from bp_faust.views.answers import FhirResource
from bp_faust.views.operations import FHIR_JSON, operation

#: How long Kafka may take to have a record, in seconds.
_KAFKA_SECONDS = 10.0

#: When what is offered changed last.
_OFFERED_SINCE = "2026-11-23"

_MEDIA_TYPES = frozenset({"application/fhir+json", "application/json"})
_OPTIONS = settings.parse_options()


class _FhirView(View):
    """Answer as FHIR servers do; be nowhere where no token is set."""

    async def dispatch(self, request: Any) -> Any:
        """Look whether the request is FHIR, then handle it; who may send it was asked before."""
        if settings.fhir_token is None:
            return self._respond(
                failure(404, "not-supported", "This worker takes no FHIR: BP_FAUST_FHIR_TOKEN is not set.")
            )
        if request.method == "GET":
            return await super().dispatch(request)
        media_type = request.content_type if request.headers.get("Content-Type") else "application/fhir+json"
        if media_type not in _MEDIA_TYPES:
            return self._respond(failure(415, "not-supported", "Send application/fhir+json."))
        return await super().dispatch(request)

    async def _keep(self, request: Request, accept: Callable[[bytes], Answer]) -> Response:
        """Have the request's body accepted or not, and answer once Kafka has what is to be kept."""
        try:
            answer = accept(await request.read())
        except HTTPRequestEntityTooLarge:
            answer = _TOO_LARGE
        if answer.record is not None:
            try:
                key = answer.patient_id.encode() if answer.patient_id is not None else None
                await asyncio.wait_for(_produced(key, answer.record), _KAFKA_SECONDS)
            except MessageSizeTooLargeError:
                answer = _TOO_LARGE
            except (KafkaError, asyncio.TimeoutError):
                answer = failure(503, "transient", "Kafka does not take the reading now: send it again in a minute.")
        headers = {"Retry-After": "60"} if answer.status == 503 else {}
        if answer.stored is not None and answer.status < 300:
            identity, its_version = answer.stored
            location = _base(request) / "Observation" / identity
            if its_version is not None:
                headers["ETag"] = f'W/"{its_version}"'
                location = location / "_history" / its_version
            headers["Location"] = str(location)
        return self._respond(answer, headers)

    def _respond(self, answer: Answer, headers: dict[str, str] | None = None) -> Response:
        return self.bytes(
            orjson.dumps(answer.resource),
            content_type="application/fhir+json",
            status=answer.status,
            headers=headers,
        )


_TOO_LARGE = refuse([Rejection(Reason.TOO_LARGE.value, "$", Reason.TOO_LARGE.meaning)])


async def _produced(key: bytes | None, record: bytes) -> None:
    await (await readings.send(key=key, value=record))


def _base(request: Any) -> URL:
    url: URL = request.url
    return url.origin() / "fhir"


@app.page("/fhir", name="fhir")
class FhirBase(_FhirView):
    """Take Bundles: batches, transactions, and what subscriptions and messages send."""

    @operation(FhirResource, media_type=FHIR_JSON, body=FhirResource)
    async def post(self, request: Request) -> Response:
        """Keep a Bundle's readings."""
        return await self._keep(request, lambda body: accept_bundle(body, _OPTIONS, _new_id))


@app.page("/fhir/Observation", name="fhir-observation")
class FhirObservations(_FhirView):
    """Take Observations."""

    @operation(FhirResource, status=201, media_type=FHIR_JSON, body=FhirResource)
    async def post(self, request: Request) -> Response:
        """Keep an Observation."""
        return await self._keep(request, lambda body: create(body, _OPTIONS, _new_id))


@app.page("/fhir/Observation/{identity}", name="fhir-observation-update")
class FhirObservation(_FhirView):
    """Take new versions of an Observation, as rest-hook subscriptions send them."""

    @operation(FhirResource, media_type=FHIR_JSON, body=FhirResource)
    async def put(self, request: Request, identity: str) -> Response:
        """Keep an Observation in place of what was known by its id."""
        return await self._keep(request, lambda body: update(identity, body, _OPTIONS))


@app.page("/fhir/metadata", name="fhir-metadata")
class FhirMetadata(_FhirView):
    """Tell what this worker takes."""

    @operation(FhirResource, media_type=FHIR_JSON)
    async def get(self, request: Request) -> Response:
        """Return the CapabilityStatement."""
        return self._respond(
            Answer(200, capability_statement(str(_base(request)), version("bp_faust"), _OFFERED_SINCE))
        )


def _new_id() -> str:
    return str(uuid4())
