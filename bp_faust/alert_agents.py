"""Tell people and other systems of alerts: in FHIR, by webhook and by e-mail; each only where it is set."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Iterable

import aiohttp
import apprise
import msgspec
import orjson
from mode.utils.logging import get_logger
from tenacity import AsyncRetrying, RetryError, retry_if_exception_type, stop_after_delay, wait_random_exponential

from bp_faust.app import app, settings
from bp_faust.clinical.times import timestamp
from bp_faust.engine.batches import Batch
from bp_faust.fhir.output import communication, flag, notification_bundle
from bp_faust.models import AlertEvent
from bp_faust.pseudonyms import pseudonymise_alert
from bp_faust.settings.reading import told_in_form
from bp_faust.telemetry import metrics
from bp_faust.topics import alerts, fhir_resources

logger = get_logger(__name__)

# At DEBUG they log the receivers' addresses, which often hold what lets one write there.
for _name in ("apprise", "urllib3"):
    logging.getLogger(_name).setLevel(logging.INFO)

#: How long one message, or one POST, may take, in seconds.
_SECONDS = 15.0

#: For how long a subscriber that does not answer is asked again, in seconds.
_RETRY_SECONDS = 300.0

#: How long to wait between two tries at most, in seconds.
_LONGEST_WAIT_SECONDS = 30.0

#: Nobody is told of what happened longer ago, in seconds: after a long stop it would be many messages, and no news.
_NEWS_SECONDS = 24 * 3600.0

#: How many resources go to a subscriber at once at most.
_RESOURCES_IN_A_BUNDLE = 100

_decode = msgspec.json.Decoder(AlertEvent).decode


def _events(batch: Batch) -> list[tuple[AlertEvent, float]]:
    """Return a batch's events with their records' times; what is none is ``index_alerts``'s to put aside."""
    found = []
    for record in batch.records:
        try:
            found.append((_decode(record.value or b""), record.timestamp / 1000))
        except msgspec.DecodeError:
            continue
    return found


if settings.notification_urls():
    _people = apprise.Apprise()
    for _url in settings.notification_urls():
        if not _people.add(_url):
            raise SystemExit(
                told_in_form("BP_FAUST_NOTIFY_URLS is set, but one of its URLs is none that Apprise knows.")
            )

    @app.batch_agent(alerts)
    async def notify(batch: Batch) -> None:
        """Send messages of alerts that are opened or escalate; one that cannot be sent holds nothing up."""
        for event, told in _events(batch):
            is_news = event.status in ("open", "escalated") and told > time.time() - _NEWS_SECONDS
            if is_news and not event.muted:
                app.watchdog.still_at_work(2 * _SECONDS)
                metrics.NOTIFICATIONS.labels("sent" if await _sent(event) else "failed").inc()


async def _sent(event: AlertEvent) -> bool:
    fields = msgspec.to_builtins(event)
    title, body = settings.notify_title.format_map(fields), settings.notify_body.format_map(fields)
    try:
        if await asyncio.wait_for(_people.async_notify(title=title, body=body), _SECONDS):
            return True
        problem = "the receiver did not take it"
    except asyncio.TimeoutError:
        problem = f"the receiver took longer than {_SECONDS:.0f} s"
    key = settings.secret("pseudonym_key")
    told = pseudonymise_alert(key, event) if key is not None else event
    logger.warning("A message of alert %s could not be sent: %s.", told.alert_id, problem)
    return False


if settings.fhir_output:

    @app.batch_agent(alerts)
    async def publish_alerts(batch: Batch) -> None:
        """Put alerts on the topic of FHIR resources, as Flags and Communications."""
        sent = []
        for event, _ in _events(batch):
            for resource in (flag(event), communication(event)):
                sent.append(
                    await fhir_resources.send(
                        key=event.patient_id.encode(), value=orjson.dumps(resource), partition=batch.partition
                    )
                )
        for stored in sent:
            await stored

    if settings.fhir_subscriber_url is not None:

        @app.batch_agent(fhir_resources)
        async def deliver(batch: Batch) -> None:
            """POST FHIR resources to the subscriber; what it does not take for long is left to the topic."""
            await _deliver([orjson.loads(record.value or b"") for record in batch.records], batch)


async def _deliver(resources: list[dict[str, object]], batch: Batch) -> None:
    subscriber_url = settings.secret("fhir_subscriber_url")
    assert subscriber_url is not None
    base = str(app.conf.canonical_url / "fhir")
    for number, chosen in enumerate(_pieces(resources)):
        event_number = batch.records[0].offset + number * _RESOURCES_IN_A_BUNDLE
        bundle = notification_bundle(
            chosen, f"{base}/Subscription/{batch.partition}", event_number, base, timestamp(time.time())
        )
        try:
            async for attempt in AsyncRetrying(
                retry=retry_if_exception_type((aiohttp.ClientError, asyncio.TimeoutError)),
                stop=stop_after_delay(_RETRY_SECONDS),
                wait=wait_random_exponential(multiplier=0.5, max=_LONGEST_WAIT_SECONDS),
            ):
                app.watchdog.still_at_work(_SECONDS + 2 * _LONGEST_WAIT_SECONDS)
                with attempt:
                    await _post(subscriber_url, orjson.dumps(bundle))
            metrics.DELIVERIES.labels("sent").inc()
        except RetryError:
            metrics.DELIVERIES.labels("failed").inc()
            logger.warning(
                "The FHIR subscriber did not take %d resources from %r within %.0f s; they stay on the topic.",
                len(chosen),
                batch,
                _RETRY_SECONDS,
                extra=batch.place,
            )


def _pieces(resources: list[dict[str, object]]) -> Iterable[list[dict[str, object]]]:
    for start in itertools.count(0, _RESOURCES_IN_A_BUNDLE):
        if start >= len(resources):
            return
        yield resources[start : start + _RESOURCES_IN_A_BUNDLE]


async def _post(url: str, body: bytes) -> None:
    headers = {"Content-Type": "application/fhir+json"}
    timeout = aiohttp.ClientTimeout(_SECONDS)
    async with app.http_client.post(url, data=body, headers=headers, timeout=timeout) as response:
        response.raise_for_status()
