"""Add the command doctor: is all there that a worker needs, and how is what is wrong to be mended."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

from rich.text import Text

from bp_faust.app import app, settings
from bp_faust.commands.command import Command
from bp_faust.commands.terminal import waiting
from bp_faust.doctor.elasticsearch import look_at_elasticsearch
from bp_faust.doctor.findings import Finding, finding
from bp_faust.doctor.kafka import look_at_kafka
from bp_faust.doctor.machine import look_at_data_directory
from bp_faust.doctor.settings import look_at_policies, look_at_settings
from bp_faust.search.templates import ALERT_PROPERTIES, ANOMALY_PROPERTIES, REFUSAL_PROPERTIES
from bp_faust.sinks import client

_STYLES = {"ok": "green", "warning": "yellow", "wrong": "bold red", "skipped": "dim"}


class doctor(Command):
    """Look at all that a worker needs, and say how what is wrong is mended.

    Settings, policies, the data directory, Kafka with its topics and rights, and Elasticsearch with its indices, rights
    and clock. It changes nothing, and takes half a minute at most. The exit status is 1 where something is wrong, 0
    where all is well or there are only warnings.

    \b
    Examples:
      faust -A bp_faust doctor
      faust -A bp_faust --json doctor
    """

    async def run(self, *args: Any, **kwargs: Any) -> None:
        """Print a line for each thing, or an array of objects with --json."""
        app.heed_datadir_option()
        indices = {
            "anomalies": (settings.elasticsearch_index, ANOMALY_PROPERTIES),
            "alerts": (settings.elasticsearch_alerts_index, ALERT_PROPERTIES),
        }
        if settings.elasticsearch_refusals_index:
            indices["refusals"] = (settings.elasticsearch_refusals_index, REFUSAL_PROPERTIES)
        writes_readings = settings.simulation_interval > 0 or settings.fhir_token is not None
        try:
            with waiting("Looking …", self.quiet):
                directory, kafka, elasticsearch = await asyncio.gather(
                    finding("data directory", look_at_data_directory(Path(app.conf.datadir))),
                    look_at_kafka(app, settings.readings_topic, writes_readings=writes_readings),
                    look_at_elasticsearch(client, indices),
                )
        finally:
            await client.close()
        found = [
            *look_at_settings(settings, app.conf, os.environ),
            look_at_policies(settings),
            directory,
            *kafka,
            *elasticsearch,
        ]
        self._tell(found)
        if any(one.outcome == "wrong" for one in found):
            raise SystemExit(1)

    def _tell(self, found: list[Finding]) -> None:
        if self.json:
            self.say_json([one._asdict() for one in found])
            return
        rows = [(Text(one.outcome, _STYLES[one.outcome]), one.check, one.text) for one in found]
        self.say_rows(("", "what", "how it is"), rows, whole=("",))
