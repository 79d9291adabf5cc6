"""Let people look at single refused records over HTTP, mend them, and send them again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from aiohttp.web import HTTPRequestEntityTooLarge
from faust.web import Request, Response, View

from bp_faust import fhir
from bp_faust.app import app, settings
from bp_faust.audit import Action, act, of_request
from bp_faust.dead_letters.described import described, headers, text, when
from bp_faust.dead_letters.letters import MOST_REASONS
from bp_faust.dead_letters.reasons import EXPLANATIONS, SETTINGS_INVALID, explain
from bp_faust.dead_letters.topic import Filter, Found, read_latest, read_letter_at, replay_messages
from bp_faust.engine.errors import EngineError
from bp_faust.fhir.documents import unwrap
from bp_faust.fhir.refusals import RefusedError
from bp_faust.models import Rejection
from bp_faust.patient_settings import PatientSettingsError, read_setting
from bp_faust.tables import local_refusals, local_replays
from bp_faust.topics import alerts, anomalies, dead_letters, patient_settings, readings
from bp_faust.views.answers import (
    Meaning,
    Reasons,
    Refusals,
    RefusedRecord,
    RefusedRecords,
    Replayed,
    Replays,
    StillRefused,
    WholeRefusedRecord,
)
from bp_faust.views.operations import operation
from bp_faust.views.peers import LOCAL, ask_peers

#: How many letters are listed where nothing is said, and at most.
_LISTED, _MOST_LISTED = 50, 200

#: Of how many records another worker is asked at a time: they stand in the first line of the request, which is limited.
_ORIGINS_ASKED = 20

#: How much of a record's text is shown, in characters; a longer one cannot be mended here.
_LONGEST_SHOWN = 500_000

#: How long Kafka may take to give letters, in seconds.
_KAFKA_SECONDS = 10.0

_OPTIONS = settings.parse_options()


class _LetterView(View):
    """Find letters, and say in one sentence why that cannot be done."""

    async def dispatch(self, request: Any) -> Any:
        """Answer 503 where Kafka does not, or has no such topic."""
        try:
            return await super().dispatch(request)
        except EngineError as exc:
            return self.error(503, str(exc))
        except asyncio.TimeoutError:
            return self.error(503, f"Kafka has not answered within {_KAFKA_SECONDS:.0f} s: check the brokers.")

    async def _find(self, partition: str, offset: str) -> Found:
        try:
            place = int(partition), int(offset)
        except ValueError:
            found = None
        else:
            reading = read_letter_at(app, dead_letters.get_topic_name(), *place)
            found = await asyncio.wait_for(reading, _KAFKA_SECONDS)
        if found is None:
            raise self.NotFound("There is no such dead letter; it may be gone from Kafka.")
        return found


@app.page("/refusals/reasons/", name="refusal-reasons")
class RefusalReasons(View):
    """Explain the reason codes."""

    @operation(Reasons, query=LOCAL)
    async def get(self, request: Request) -> Response:
        """Return by code what it means and what the sender should do; of Elasticsearch's, those that occurred."""
        codes = {*EXPLANATIONS, *local_refusals()}
        answers, _ = await ask_peers(request, "/refusals/", Refusals)
        for answer in answers:
            codes.update(answer.refusals)
        explained = ((code, explain(code)) for code in sorted(codes))
        return self.json(Reasons({code: Meaning(*found) for code, found in explained if found is not None}))


@app.page("/refusals/replays/", name="refusal-replays")
class RefusalReplays(View):
    """Tell which refused records were sent again."""

    @operation(Replays, query={**LOCAL, "origin": "A record, as topic/partition/offset; may be given several times."})
    async def get(self, request: Any) -> Response:
        """Return when those of ``?origin=`` (topic/partition/offset) were last sent again, as far as they were."""
        found, missing = await _replays(request, request.query.getall("origin", []))
        return self.json(Replays(found, missing))


@app.page("/refusals/records/", name="refused-records")
class RefusedRecordList(_LetterView):
    """List the latest refused records."""

    @operation(
        RefusedRecords,
        query={
            **LOCAL,
            "reason": "Only those with this reason code; may be given several times.",
            "before": "What an earlier answer gave as before.",
            "limit": f"How many, at most {_MOST_LISTED}.",
        },
    )
    async def get(self, request: Request) -> Response:
        """Return the latest ones, at most ``?limit=`` and of ``?reason=`` if given, and with what to ask for more.

        That is ``?before=``. As only so many records are looked at, there may be none here and some before.
        """
        query: Any = request.query
        try:
            limit = min(max(int(query.get("limit", _LISTED)), 1), _MOST_LISTED)
            before = _read_position(query.get("before", ""))
        except ValueError:
            return self.error(400, "limit is not a number, or before not what an earlier answer gave.")
        wanted = Filter(reasons=frozenset(query.getall("reason", [])))
        found, position = await asyncio.wait_for(
            read_latest(app, dead_letters.get_topic_name(), wanted, before, limit), _KAFKA_SECONDS
        )
        replays, missing = await _replays(request, [str(one.letter.origin) for one in found])
        return self.json(
            RefusedRecords(
                [msgspec.convert(_listed(one, replays), RefusedRecord) for one in found],
                _written_position(position) if position is not None else None,
                missing,
            )
        )


@app.page("/refusals/records/{partition}/{offset}/", name="refused-record")
class RefusedRecordDetail(_LetterView):
    """Show one refused record."""

    @operation(WholeRefusedRecord)
    async def get(self, request: Request, partition: str, offset: str) -> Response:
        """Return the letter at a place of the dead-letter topic: why it was refused, and what was sent."""
        found = await self._find(partition, offset)
        replays, missing = await _replays(request, [str(found.letter.origin)])
        shown, is_whole = _text(found.letter.value)
        return self.json(
            msgspec.convert(
                {
                    **_listed(found, replays),
                    "key": text(found.letter.key),
                    "headers": headers(found),
                    "text": shown,
                    "mendable": is_whole and _can_be_mended(found),
                    "refused_now": _checked(found, found.letter.value),
                    "workers_missing": missing,
                },
                WholeRefusedRecord,
            )
        )


class _ReplayView(_LetterView):
    """Send a letter again."""

    async def _replay(self, request: Request, found: Found, mended: bytes | None) -> Response:
        place, letter = found
        at, dead_letter, is_mended = str(letter.origin), str(place), mended is not None
        details = {"at": at, "dead_letter": dead_letter, "mended": is_mended}
        await act(of_request(request), Action("replay", details=details), *replay_messages(found, mended))
        sent = letter.value if mended is None else mended
        return self.json(Replayed(at, dead_letter, is_mended, len(sent or b""), _checked(found, sent)))


@app.page("/refusals/records/{partition}/{offset}/replay/", name="replay-refused-record")
class ReplayRefusedRecord(_ReplayView):
    """Send one refused record again as it is."""

    @operation(Replayed)
    async def post(self, request: Request, partition: str, offset: str) -> Response:
        """Send it to where it came from; ``refused_now`` tells what will be refused again by the settings in force."""
        found = await self._find(partition, offset)
        if found.letter.origin.topic not in _source_topics():
            return self.error(409, f"It came from topic {found.letter.origin.topic}, which is none of this worker's.")
        return await self._replay(request, found, None)


@app.page("/refusals/records/{partition}/{offset}/mend/", name="mend-refused-record")
class MendRefusedRecord(_ReplayView):
    """Send one refused record again after somebody corrected it."""

    @operation(Replayed, body=dict[str, Any], other={422: StillRefused})
    async def post(self, request: Any, partition: str, offset: str) -> Response:
        """Send the body in its place; where that would be refused too, answer 422 with the reasons and send nothing."""
        try:
            mended: bytes = await request.read()
        except HTTPRequestEntityTooLarge:
            return self.error(413, f"This is longer than a record may be, {settings.record_max_bytes} bytes.")
        found = await self._find(partition, offset)
        if not _can_be_mended(found):
            return self.error(
                409, "Only what people sent can be mended: readings, and settings of patients and cohorts."
            )
        refused = _checked(found, mended)
        if refused:
            return self.json(StillRefused("It would be refused again, so nothing was sent.", refused), status=422)
        return await self._replay(request, found, mended)


def _listed(found: Found, replays: Mapping[str, int]) -> dict[str, Any]:
    replayed = replays.get(str(found.letter.origin))
    # What was refused after it was sent again waits for somebody anew.
    is_replayed = replayed is not None and replayed >= found.place.timestamp
    return {
        "dead_letter": {"partition": found.place.partition, "offset": found.place.offset},
        **described(found),
        "replayed": when(replayed) if replayed is not None and is_replayed else None,
    }


async def _replays(request: Request, origins: Sequence[str]) -> tuple[dict[str, int], list[str]]:
    """Return when records were last sent again, in milliseconds since 1970, and which workers did not answer."""
    found, missing = local_replays(origins), set()
    asked = [origins[start : start + _ORIGINS_ASKED] for start in range(0, len(origins), _ORIGINS_ASKED)]
    for answers, silent in await asyncio.gather(
        *(ask_peers(request, "/refusals/replays/", Replays, {"origin": list(some)}) for some in asked)
    ):
        missing.update(silent)
        for answer in answers:
            found.update(answer.replays)
    return found, sorted(missing)


def _checked(found: Found, value: bytes | None) -> list[Rejection] | None:
    """Return why a letter's record, or what is to be sent in its place, is refused by the settings in force.

    None is for what our own topics hold: what refuses that is not asked beforehand.
    """
    topic = found.letter.origin.topic
    if topic == readings.get_topic_name():
        outcomes = fhir.parse(value or b"", _OPTIONS)
        return [outcome for outcome in outcomes if isinstance(outcome, Rejection)][:MOST_REASONS]
    if topic == patient_settings.get_topic_name():
        try:
            read_setting(found.letter.key, value, 0)
        except PatientSettingsError as exc:
            return [Rejection(SETTINGS_INVALID, "$", f"{exc}.")]
        return []
    return None


def _can_be_mended(found: Found) -> bool:
    return found.letter.origin.topic in (readings.get_topic_name(), patient_settings.get_topic_name())


def _source_topics() -> set[str]:
    return {topic.get_topic_name() for topic in (readings, patient_settings, anomalies, alerts)}


def _text(value: bytes | None) -> tuple[str, bool]:
    """Return a record's text, unzipped, and whether that is all of it; what is no text is shown as if it were."""
    try:
        raw = unwrap(value or b"", settings.record_max_bytes)
    except RefusedError:
        raw = value or b""
    shown = raw.decode(errors="replace")
    return shown[:_LONGEST_SHOWN], len(shown) <= _LONGEST_SHOWN


def _read_position(written: str) -> dict[int, int]:
    """Return the position that ``before`` holds; raise ValueError where it is none."""
    pairs = (part.split("-") for part in written.split(".") if part)
    return {int(partition): int(offset) for partition, offset in pairs}


def _written_position(position: Mapping[int, int]) -> str:
    return ".".join(f"{partition}-{offset}" for partition, offset in sorted(position.items()))
