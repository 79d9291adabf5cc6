"""Build the App."""

from __future__ import annotations

from bp_faust.engine.application import App
from bp_faust.settings import FAUST_SETTINGS, read_settings

settings = read_settings()

app = App(
    settings.app_id,
    env_prefix="BP_FAUST",
    datadir=settings.datadir.absolute(),
    # Faust's own way of finding these by itself hides errors in them.
    autodiscover=[
        f"bp_faust.{module}"
        for module in (
            "agents",
            "alert_agents",
            "timers",
            "views",
            "change_views",
            "fhir_views",
            "commands",
            "dead_letter_commands",
            "patient_commands",
            "backtest_commands",
        )
    ],
    web_application_options={"client_max_size": settings.record_max_bytes},
    # What is too large, brokers say.
    producer_max_request_size=64 << 20,
    **{name.lower(): default for name, (default, _) in FAUST_SETTINGS.items() if name != "BROKER_URL"},
    broker=FAUST_SETTINGS["BROKER_URL"][0],
)
