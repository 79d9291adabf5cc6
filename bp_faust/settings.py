"""Read every setting from the environment: ours here, Faust's own by Faust, all of them named ``BP_FAUST_*``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

#: Faust's own settings that users need most, by their name in the environment: our default and what they mean. Faust
#: reads these, and all its other settings, with the same prefix.
FAUST_SETTINGS: dict[str, tuple[Any, str]] = {
    "BROKER_URL": (
        "kafka://localhost:9093",
        "The Kafka brokers, as `kafka://host:port`; several with `;` between them.",
    ),
    "WEB_PORT": (6066, "The port of the page, the views and the metrics."),
    "WEB_BIND": ("127.0.0.1", "The address on which the web server listens."),
    "WEB_HOST": ("127.0.0.1", "The name under which other workers reach this one; must differ between machines."),
    "TOPIC_PARTITIONS": (
        4,
        "How many partitions the topics get that are created: the most workers that can share the work.",
    ),
    "TOPIC_REPLICATION_FACTOR": (1, "How many brokers keep a copy of the topics that are created."),
    "TABLE_STANDBY_REPLICAS": (1, "How many other workers keep a copy of each table partition, ready to take over."),
    "BROKER_SESSION_TIMEOUT": (30.0, "After how many seconds of silence a worker's partitions go to others."),
    "BROKER_MAX_POLL_RECORDS": (4000, "How many records a batch holds at most."),
    "CONSUMER_MAX_FETCH_SIZE": (
        4 << 20,
        "How many bytes are fetched from a partition at a time, and a batch holds about at most.",
    ),
}


def _known_time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as exc:
        raise ValueError("this time zone is not known; write it like Europe/Paris") from exc
    return name


class Settings(BaseSettings):
    """Hold our own settings; a field's name in capitals, behind ``BP_FAUST_``, is its name in the environment."""

    model_config = SettingsConfigDict(env_prefix="BP_FAUST_", extra="ignore", frozen=True)

    app_id: str = Field(
        "bp_faust", min_length=1, description="The consumer group, and the beginning of the names of our changelogs."
    )
    datadir: Path = Field(Path("bp_faust-data"), description="Where this worker keeps its tables; one for each worker.")
    readings_topic: str = Field("blood_pressure_readings", description="The topic that readings come in on.")
    anomalies_topic: str = Field("blood_pressure_anomalies", description="The topic that anomalies go out on.")
    elasticsearch_url: str = Field("http://localhost:9200", description="Where Elasticsearch answers.")
    elasticsearch_index: str = Field(
        "blood_pressure_anomalies_v2", min_length=1, description="The index that anomalies are kept in."
    )
    elasticsearch_api_key: SecretStr | None = Field(None, description="An API key for Elasticsearch.")
    elasticsearch_username: str | None = Field(None, description="A user of Elasticsearch, where there is no API key.")
    elasticsearch_password: SecretStr | None = Field(None, description="That user's password.")
    elasticsearch_ca_certs: Path | None = Field(
        None, description="A PEM file with the authority that signed Elasticsearch's certificate."
    )
    simulation_interval: float = Field(
        1.0, ge=0, allow_inf_nan=False, description="Seconds between simulated readings; 0 turns the simulation off."
    )
    simulation_patients: int = Field(20, ge=1, description="How many simulated patients there are.")
    simulation_seed: int = Field(
        2026, description="What the simulated patients are drawn from: the same seed, the same patients."
    )
    unit_policy: Literal["assume-mmHg", "refuse"] = Field(
        "assume-mmHg", description="What to do with a value that names no unit: `assume-mmHg` or `refuse`."
    )
    set_implausible_aside: bool = Field(
        False,
        description="Whether readings that no living adult has (systolic outside 30 to 370, diastolic outside 10 to "
        "330, systolic not above diastolic) are neither counted nor alarmed; the seed judges them like any other.",
    )
    default_time_zone: Annotated[str, AfterValidator(_known_time_zone)] = Field(
        "UTC", description="The time zone of times that name none, such as `Europe/Paris`."
    )

    def secret(self, name: str) -> str | None:
        """Return the plain text of a secret setting, None where it is not set."""
        value: SecretStr | None = getattr(self, name)
        return value.get_secret_value() if value is not None else None


def read_settings() -> Settings:
    """Return the settings in force; end the program with a line for each one that is wrong."""
    try:
        return Settings()
    except ValidationError as exc:
        wrong = (
            f"Error: BP_FAUST_{'_'.join(map(str, error['loc'])).upper()} is {error['input']!r}: {error['msg']}."
            for error in exc.errors()
        )
        raise SystemExit("\n".join(wrong)) from exc


def settings_table() -> str:
    """Return all settings above as a Markdown table: name in the environment, default, meaning."""
    rows = [(f"BP_FAUST_{name}", default, meaning) for name, (default, meaning) in FAUST_SETTINGS.items()]
    rows += [
        (f"BP_FAUST_{name.upper()}", field.default, field.description or "")
        for name, field in Settings.model_fields.items()
    ]
    lines = ["| setting | default | meaning |", "|---|---|---|"]
    for name, default, meaning in sorted(rows, key=lambda row: row[0]):
        shown = "" if default is None else f"`{str(default).lower() if isinstance(default, bool) else default}`"
        lines.append(f"| `{name}` | {shown} | {meaning} |")
    return "\n".join(lines) + "\n"
