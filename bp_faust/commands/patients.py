"""Add the commands patient and alerts: set things for patients, and deal with their alerts."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

import click
import msgspec
import orjson
from faust.cli import argument, option
from msgspec.structs import replace

from bp_faust import topics
from bp_faust.alert_history import last_events
from bp_faust.app import app, settings
from bp_faust.audit import Action, act, of_command
from bp_faust.clinical.following import is_muted
from bp_faust.commands.command import Command
from bp_faust.engine.partitioner import partition_of
from bp_faust.engine.together import Message
from bp_faust.input_files import InputFileError
from bp_faust.models import Acknowledgement, PatientSettings, Thresholds
from bp_faust.patient_settings import PatientSettingsError, check, read_setting, setting_key
from bp_faust.pseudonyms import patient_pseudonym
from bp_faust.settings.reading import read_judges
from bp_faust.signals import SIGNAL_KEY, Acknowledge, signals
from bp_faust.topic_records import read_records

_THRESHOLDS = ("systolic_above", "systolic_below", "diastolic_above", "diastolic_below")


def _key(who: str) -> bytes:
    kind, _, name = who.partition("/")
    if kind == "cohort" and name:
        return setting_key(None, name)
    return setting_key(name if kind == "patient" and name else who, None)


class patient(Command):
    """Set or show how a patient, or a cohort as cohort/NAME, is judged and looked after; tell a patient's pseudonym.

    \b
    Examples:
      faust -A bp_faust patient set p-1 --policy esc-2024 --setting home
      faust -A bp_faust patient set cohort/ward-3 --systolic-above 160
      faust -A bp_faust patient set p-1 --cohort ward-3 --measure-every-days 2
      faust -A bp_faust patient set p-1 --clear
      faust -A bp_faust --json patient show
      faust -A bp_faust patient show p-1
      faust -A bp_faust patient pseudonym p-1
    """

    options = [
        argument("action", type=click.Choice(["set", "show", "pseudonym"])),
        argument("who", required=False),
        option("--policy", help="The policy's id, such as esc-2024."),
        option("--setting", type=click.Choice(["office", "home"]), help="Where readings are made."),
        option("--pregnant/--not-pregnant", default=None, help="Whether the patient is pregnant."),
        option("--birth-date", help="In place of Patient.birthDate: a year, a month or a day."),
        option("--cohort", help="The cohort whose settings hold as well."),
        option("--muted-until", help="Until when nobody is told of alerts: ISO 8601 with a zone."),
        option("--measure-every-days", type=int, help="Alert after so many days without a reading."),
        option("--systolic-above", type=float, help="The patient's own threshold, in mmHg; so are the next three."),
        option("--systolic-below", type=float, help="Hypotension below that."),
        option("--diastolic-above", type=float, help="Hypertension above that."),
        option("--diastolic-below", type=float, help="Hypotension below that."),
        option("--clear", is_flag=True, help="First remove all that is set."),
    ]

    async def run(self, action: str, who: str | None, clear: bool, **given: Any) -> None:
        """Do what is asked."""
        chosen = {name: value for name, value in given.items() if value is not None}
        if action != "set" and (chosen or clear):
            raise click.UsageError(f"{action} takes no options.", self.ctx)
        if action == "pseudonym":
            self._tell_pseudonym(who)
        elif action == "show":
            self._show(await _known(), who)
        elif not who or who in ("cohort/", "patient/"):
            raise click.UsageError("Name a patient, or a cohort as cohort/NAME.", self.ctx)
        elif not chosen and not clear:
            raise click.UsageError("Say what to set; --help lists it.", self.ctx)
        else:
            await self._set(_key(who), chosen, clear=clear)

    async def _set(self, key: bytes, chosen: dict[str, Any], *, clear: bool) -> None:
        now = datetime.now(timezone.utc)
        born = str(chosen.get("birth_date", ""))
        if born[:1].isdigit() and born > now.date().isoformat():
            raise click.UsageError("--birth-date lies in the future.", self.ctx)
        known = await _known()
        after = _changed(PatientSettings() if clear else known.get(key, PatientSettings()), chosen)
        policies = read_judges(settings).policies
        if after.policy is not None and after.policy not in policies:
            raise InputFileError(
                f"There is no policy {after.policy!r} here: name one of {', '.join(sorted(policies))}."
            )
        try:
            check(after, of_cohort=key.startswith(b"cohort/"))
        except PatientSettingsError as exc:
            raise InputFileError(f"{exc}.") from exc
        if "muted_until" in chosen and not is_muted(after, now.timestamp()):
            raise click.UsageError("--muted-until has passed: nobody would be kept from being told.", self.ctx)
        value = None if after == PatientSettings() else msgspec.json.encode(after)
        done = Action("set" if value is not None else "remove", key.decode(), after if value is not None else None)
        await act(of_command(), done, Message(topics.patient_settings.get_topic_name(), key, value))
        self.say_result(
            f"{key.decode()}: {value.decode() if value is not None else 'nothing is set any more'}",
            **{key.decode(): msgspec.to_builtins(after)},
        )

    def _tell_pseudonym(self, patient_id: str | None) -> None:
        key = settings.secret("pseudonym_key")
        if patient_id is None:
            raise click.UsageError("Name a patient.", self.ctx)
        if key is None:
            raise InputFileError("There are no pseudonyms here: BP_FAUST_PSEUDONYM_KEY is not set.")
        pseudonym = patient_pseudonym(key, patient_id)
        self.say_result(pseudonym, patient_id=patient_id, pseudonym=pseudonym)

    def _show(self, known: dict[bytes, PatientSettings], who: str | None) -> None:
        if who is not None:
            key = _key(who)
            known = {key: known.get(key, PatientSettings())}
        shown = {key.decode(): msgspec.to_builtins(found) for key, found in sorted(known.items())}
        if self.json:
            self.say_json(shown)
            return
        for name, found in shown.items():
            self.say(f"{name}: {orjson.dumps(found).decode() if found else 'nothing is set'}")
        if not shown:
            self.say("Nothing is set for anyone.")


async def _known() -> dict[bytes, PatientSettings]:
    """Return what is set for patients and cohorts, by the keys of its topic."""
    known: dict[bytes, tuple[int, PatientSettings]] = {}
    async for _, records in read_records(app, topics.patient_settings.get_topic_name()):
        for record in records:
            try:
                signal = read_setting(record.key, record.value, 0)
            except PatientSettingsError:
                continue
            if record.key not in known or record.timestamp >= known[record.key][0]:
                known[record.key] = (record.timestamp, signal.settings or PatientSettings())
    return {key: found for key, (_, found) in known.items() if found != PatientSettings()}


def _changed(before: PatientSettings, chosen: Mapping[str, Any]) -> PatientSettings:
    """Return settings with those that options choose; thresholds that none of them names stay."""
    limits = {name: value for name, value in chosen.items() if name in _THRESHOLDS}
    others = {name: value for name, value in chosen.items() if name not in _THRESHOLDS}
    if limits:
        others["thresholds"] = replace(before.thresholds or Thresholds(), **limits)
    return replace(before, **others)


class alerts(Command):
    """List alerts, or note that somebody takes care of one.

    \b
    Examples:
      faust -A bp_faust alerts list
      faust -A bp_faust --json alerts list --status resolved --patient p-1
      faust -A bp_faust alerts acknowledge ALERT_ID --why "called her"
    """

    options = [
        argument("action", type=click.Choice(["list", "acknowledge"])),
        argument("alert_id", required=False),
        option("--patient", "patient_id", help="Only this patient's."),
        option(
            "--status",
            multiple=True,
            type=click.Choice(["open", "escalated", "acknowledged", "resolved"]),
            help="Only these; may be given several times [default: all but resolved].",
        ),
        option("--who", help="Who takes care of it [default: the user of this machine]."),
        option("--why", help="What is known or done about it."),
    ]

    async def run(
        self,
        action: str,
        alert_id: str | None,
        patient_id: str | None,
        status: tuple[str, ...],
        who: str | None,
        why: str | None,
    ) -> None:
        """Do what is asked."""
        if action == "acknowledge":
            if alert_id is None or not why:
                raise click.UsageError("Name the alert, and say why with --why.", self.ctx)
            if patient_id is not None or status:
                raise click.UsageError("--patient and --status are for list.", self.ctx)
            await self._acknowledge(alert_id, who, why)
            return
        if who is not None or why is not None:
            raise click.UsageError("--who and --why are for acknowledge.", self.ctx)
        wanted = status or ("open", "escalated", "acknowledged")
        found = [
            event
            for event in (await last_events(app, topics.alerts.get_topic_name())).values()
            if event.status in wanted and patient_id in (None, event.patient_id) and alert_id in (None, event.alert_id)
        ]
        found.sort(key=lambda event: event.timestamp, reverse=True)
        if self.json:
            self.say_json(msgspec.to_builtins(found))
            return
        rows = [
            (event.alert_id, event.status, event.severity, event.title, event.patient_id, event.timestamp)
            for event in found
        ]
        headers = ("alert", "status", "severity", "finding", "patient", "since")
        self.say_rows(headers, rows, nothing="No alerts.")

    async def _acknowledge(self, alert_id: str, given: str | None, why: str) -> None:
        actor = of_command(given)
        who = given or str(actor.user)
        event = (await last_events(app, topics.alerts.get_topic_name())).get(alert_id)
        if event is None:
            raise InputFileError(f"There is no alert {alert_id}: `alerts list` shows those there are.")
        if event.status == "resolved":
            raise InputFileError(f"The alert {alert_id} is over since {event.timestamp}.")
        signal = Acknowledge(Acknowledgement(event.patient_id, alert_id, who, why, time.time()))
        partition = partition_of(event.patient_id, app.conf.topic_partitions)
        done = Action("acknowledge", f"patient/{event.patient_id}", {"alert_id": alert_id, "why": why})
        message = Message(topics.patient_readings.get_topic_name(), SIGNAL_KEY, signals.encode(signal), partition)
        await act(actor, done, message)
        self.say_result(f"{alert_id}: acknowledged by {who}", alert_id=alert_id, acknowledged_by=who)
