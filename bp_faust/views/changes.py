"""Let people who have the token change things over HTTP: settings of patients and cohorts, and acknowledge alerts."""

from __future__ import annotations

import time
from typing import Any

import msgspec
from faust.web import Request, Response, View
from msgspec import Struct

from bp_faust.app import app, settings
from bp_faust.audit import Action, act, of_request
from bp_faust.clinical.following import standing_alerts
from bp_faust.engine.errors import EngineError
from bp_faust.engine.partitioner import partition_of
from bp_faust.engine.together import Message
from bp_faust.models import Acknowledgement, PatientSettings
from bp_faust.patient_settings import PatientSettingsError, read_setting, setting_key
from bp_faust.settings.reading import read_judges
from bp_faust.signals import SIGNAL_KEY, Acknowledge, signals
from bp_faust.tables import patient_key, patient_states, patients
from bp_faust.topics import patient_readings, patient_settings
from bp_faust.views.answers import Acknowledged
from bp_faust.views.operations import operation

_LONGEST_TEXT = 1000

_policies = read_judges(settings).policies


class Acknowledging(Struct, forbid_unknown_fields=True):
    """Hold the body of a request that acknowledges an alert."""

    who: str
    why: str


class _ChangeView(View):
    """Do what was asked together with its audit record."""

    async def _set(self, request: Request, key: bytes, value: bytes | None) -> Response:
        """Keep a setting, once it is one; answer when Kafka has it."""
        try:
            found = read_setting(key, value, 0).settings
        except PatientSettingsError as exc:
            return self.error(422, f"{exc}.")
        if found is not None and found.policy is not None and found.policy not in _policies:
            return self.error(
                422, f"There is no policy {found.policy!r} here: name one of {', '.join(sorted(_policies))}."
            )
        action = Action("set" if found is not None else "remove", key.decode(), found)
        message = Message(patient_settings.get_topic_name(), key, value)
        return await self._act(request, action, message, found)

    async def _act(
        self, request: Request, action: Action, message: Message, body: Any, who: str | None = None
    ) -> Response:
        try:
            await act(of_request(request, who), action, message)
        except EngineError as exc:
            return self.error(503, str(exc))
        return self.json(body)


@app.page("/patients/{patient_id}/settings/", name="patient-settings")
class PatientSettingsView(_ChangeView):
    """Set how a patient is judged and looked after."""

    @operation(PatientSettings, body=PatientSettings)
    async def put(self, request: Request, patient_id: str) -> Response:
        """Set all of a patient's settings; what is left out is not set any more."""
        return await self._set(request, setting_key(patient_id, None), await request.read())

    @operation(None)
    async def delete(self, request: Request, patient_id: str) -> Response:
        """Remove a patient's settings."""
        return await self._set(request, setting_key(patient_id, None), None)


@app.page("/cohorts/{name}/settings/", name="cohort-settings")
class CohortSettingsView(_ChangeView):
    """Set how a cohort is judged and looked after."""

    @operation(PatientSettings, body=PatientSettings)
    async def put(self, request: Request, name: str) -> Response:
        """Set all of a cohort's settings; what is left out is not set any more."""
        return await self._set(request, setting_key(None, name), await request.read())

    @operation(None)
    async def delete(self, request: Request, name: str) -> Response:
        """Remove a cohort's settings."""
        return await self._set(request, setting_key(None, name), None)


@app.page("/patients/{patient_id}/alerts/{alert_id}/acknowledge/", name="acknowledge")
class AcknowledgeView(_ChangeView):
    """Note that somebody takes care of an alert."""

    @operation(Acknowledged, body=Acknowledging)
    @app.table_route(table=patients, match_info="patient_id")  # type: ignore[arg-type]
    async def post(self, request: Request, patient_id: str, alert_id: str) -> Response:
        """Acknowledge a patient's alert, with ``who`` and ``why``, on whichever worker has the patient."""
        try:
            given = msgspec.json.decode(await request.read(), type=Acknowledging)
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            return self.error(422, f'Send {{"who": "...", "why": "..."}}: {exc}')
        if not (0 < len(given.who) <= _LONGEST_TEXT and 0 < len(given.why) <= _LONGEST_TEXT):
            return self.error(422, "Say who, and why, in some words.")
        partition = partition_of(patient_id, app.conf.topic_partitions)
        value = patients.store.get_many(partition, [patient_key(patient_id)])[0]
        standing = standing_alerts(patient_states.decode(value)) if value is not None else []
        if alert_id not in {alert.alert_id for alert in standing}:
            return self.error(404, "The patient has no such alert, or it is over.")
        signal = Acknowledge(Acknowledgement(patient_id, alert_id, given.who, given.why, time.time()))
        action = Action("acknowledge", f"patient/{patient_id}", {"alert_id": alert_id, "why": given.why})
        message = Message(patient_readings.get_topic_name(), SIGNAL_KEY, signals.encode(signal), partition)
        answer = Acknowledged(alert_id, given.who)
        return await self._act(request, action, message, answer, given.who)
