"""Build the App."""

from __future__ import annotations

from bp_faust.encoding import UnknownVersionError
from bp_faust.engine.application import App
from bp_faust.search.errors import SearchError
from bp_faust.settings.broker_credentials import read_broker_credentials
from bp_faust.settings.fields import FAUST_SETTINGS
from bp_faust.settings.reading import read_settings
from bp_faust.views.access import web_guard

settings = read_settings()


def _own_name() -> str | None:
    return app.conf.canonical_url.host


app: App = App(
    settings.app_id,
    env_prefix="BP_FAUST",
    # Faust would look for a module of the console script's name.
    origin="bp_faust",
    datadir=settings.datadir.absolute(),
    # Faust's own way of finding these by itself hides errors in them.
    autodiscover=[
        f"bp_faust.{module}"
        for module in (
            "agents",
            "index_agents",
            "alert_agents",
            "timers",
            "views.patients",
            "views.status",
            "views.page",
            "views.installation",
            "views.charts",
            "views.changes",
            "views.refusals",
            "views.fhir",
            "views.api",
            "commands.servers",
            "commands.sending",
            "commands.dead_letters",
            "commands.patients",
            "commands.backtest",
            "commands.settings",
            "commands.doctor",
        )
    ],
    web_application_options={
        "client_max_size": settings.record_max_bytes,
        "middlewares": [web_guard(settings, _own_name)],
    },
    log_form=settings.log_format,
    # Their texts were written for operators; others may hold what records hold.
    told_errors=(SearchError, UnknownVersionError),
    # What is too large, brokers say.
    producer_max_request_size=64 << 20,
    # Eleven simulated readings would fill a batch of 16 kB, and then wait for the broker's answer.
    producer_max_batch_size=1 << 20,
    **{name.lower(): default for name, (default, _) in FAUST_SETTINGS.items() if name != "BROKER_URL"},
    broker=FAUST_SETTINGS["BROKER_URL"][0],
    broker_credentials=read_broker_credentials(settings),
)
