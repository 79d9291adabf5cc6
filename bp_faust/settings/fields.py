"""Declare every setting that users need, ours and Faust's, with its default and what it means."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from bp_faust.clinical.judges import Judges
from bp_faust.clinical.policies import POLICIES, find_policy
from bp_faust.engine.batches import RECORDS_IN_A_BATCH
from bp_faust.engine.log_lines import LogForm
from bp_faust.fhir import ParseOptions
from bp_faust.fhir.options import UnitPolicy, Validation
from bp_faust.models import MeasurementSetting
from bp_faust.pseudonyms import SHORTEST_KEY
from bp_faust.settings.secret_files import SecretFiles

#: Faust's own settings that users need most, by their name in the environment: our default and what they mean. Faust
#: reads these, and all its other settings, with the same prefix.
FAUST_SETTINGS: dict[str, tuple[Any, str]] = {
    "BROKER_URL": (
        "kafka://localhost:9093",
        "The Kafka brokers, as `kafka://host:port`; several with `;` between them. No user and password.",
    ),
    "WEB_PORT": (6066, "The port of the page, the views and the metrics."),
    "WEB_BIND": (
        "127.0.0.1",
        "The address on which the web server listens; any but this machine's own takes `BP_FAUST_WEB_TOKEN`.",
    ),
    "WEB_HOST": ("127.0.0.1", "The name under which other workers reach this one; must differ between machines."),
    "TOPIC_PARTITIONS": (
        4,
        "How many partitions the topics get that are created: the most workers that can share the work.",
    ),
    "TOPIC_REPLICATION_FACTOR": (1, "How many brokers keep a copy of the topics that are created."),
    "TABLE_STANDBY_REPLICAS": (1, "How many other workers keep a copy of each table partition, ready to take over."),
    "BROKER_SESSION_TIMEOUT": (30.0, "After how many seconds of silence a worker's partitions go to others."),
    "BROKER_MAX_POLL_RECORDS": (RECORDS_IN_A_BATCH, "How many records a batch holds at most."),
    "CONSUMER_MAX_FETCH_SIZE": (
        4 << 20,
        "How many bytes are fetched from a partition at a time, and a batch holds about at most.",
    ),
}


#: Between simulated readings, in seconds: far more often than a worker can send them.
_SHORTEST_INTERVAL = 0.0001


def _known_time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as exc:
        raise ValueError("this time zone is not known; write it like Europe/Paris") from exc
    return name


def _two_numbers(value: object) -> object:
    return value.split(",") if isinstance(value, str) else value


def _listed(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _in_order(limits: tuple[float, float]) -> tuple[float, float]:
    if not 0 <= limits[0] < limits[1]:
        raise ValueError("the first number must be the lower one, and neither below 0")
    return limits


def _off_or_possible(interval: float) -> float:
    if 0 < interval < _SHORTEST_INTERVAL:
        raise ValueError(f"it must be 0, or {_SHORTEST_INTERVAL} or more")
    return interval


#: A lower and an upper limit in mmHg, both of which are still within; written like ``30,370``.
Limits = Annotated[tuple[float, float], NoDecode, BeforeValidator(_two_numbers), AfterValidator(_in_order)]


class Settings(BaseSettings):
    """Hold our own settings; a field's name in capitals, behind ``BP_FAUST_``, is its name in the environment."""

    model_config = SettingsConfigDict(env_prefix="BP_FAUST_", extra="ignore", frozen=True)

    app_id: str = Field(
        "bp_faust", min_length=1, description="The consumer group, and the beginning of the names of our changelogs."
    )
    datadir: Path = Field(Path("bp_faust-data"), description="Where this worker keeps its tables; one for each worker.")
    log_format: LogForm = Field(
        "console",
        description="How the log is written: `console` is for people, `json` one JSON object a line for programs.",
    )
    broker_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT",
        description="How to talk to Kafka, in Kafka's words: `PLAINTEXT`; `SSL` is TLS; `SASL_SSL` is TLS and a user; "
        "`SASL_PLAINTEXT` is a user without TLS.",
    )
    broker_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="How Kafka's user signs in: `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`."
    )
    broker_username: str | None = Field(None, description="The user of Kafka.")
    broker_password: SecretStr | None = Field(None, description="The password of Kafka's user.")
    broker_ca_certs: Path | None = Field(
        None,
        description="A PEM file with the authority that signed the brokers' certificates; without one, those that this "
        "machine trusts.",
    )
    broker_client_cert: Path | None = Field(
        None, description="A PEM file with the certificate that this worker shows to Kafka."
    )
    broker_client_key: Path | None = Field(
        None, description="A PEM file with that certificate's key, where the first file does not hold it too."
    )
    readings_topic: str = Field("blood_pressure_readings", description="The topic that readings come in on.")
    anomalies_topic: str = Field("blood_pressure_anomalies", description="The topic that anomalies go out on.")
    alerts_topic: str = Field("blood_pressure_alerts", description="The topic that alerts go out on.")
    policy: str = Field(
        "seed",
        description=f"How readings are judged: {', '.join(f'`{name}`' for name in POLICIES)}, or the path of a policy "
        "file.",
    )
    policy_files: Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_listed)] = Field(
        (), description="Files of more policies for patients and cohorts, with commas between them."
    )
    measurement_setting: MeasurementSetting = Field(
        "office", description="Where readings are made: `office` or `home`; thresholds differ."
    )
    retention_days: int = Field(
        400,
        ge=30,
        description="How many days before a patient's latest reading another one is kept, and counts.",
    )
    clock_interval: float = Field(
        60.0, gt=0, allow_inf_nan=False, description="Seconds between two looks at whose readings are missing."
    )
    elasticsearch_url: str = Field("http://localhost:9200", description="Where Elasticsearch answers.")
    elasticsearch_index: str = Field(
        "blood_pressure_anomalies_v2", min_length=1, description="The index that anomalies are kept in."
    )
    elasticsearch_alerts_index: str = Field(
        "blood_pressure_alerts", min_length=1, description="The index that alerts are kept in."
    )
    elasticsearch_refusals_index: str = Field(
        "blood_pressure_refusals",
        description="The index that refused records are noted in, by place and reason; empty for none.",
    )
    elasticsearch_api_key: SecretStr | None = Field(None, description="An API key for Elasticsearch.")
    elasticsearch_username: str | None = Field(None, description="A user of Elasticsearch, where there is no API key.")
    elasticsearch_password: SecretStr | None = Field(None, description="That user's password.")
    elasticsearch_ca_certs: Path | None = Field(
        None, description="A PEM file with the authority that signed Elasticsearch's certificate."
    )
    pseudonym_key: SecretStr | None = Field(
        None,
        min_length=SHORTEST_KEY,
        description="With it, documents in Elasticsearch hold keyed hashes in place of the ids of patients, "
        f"Observations and alerts; {SHORTEST_KEY} random characters or more, the same for all workers. Topics, tables, "
        "views and messages keep the ids. See docs/explanation/privacy.md.",
    )
    simulation_interval: Annotated[float, AfterValidator(_off_or_possible)] = Field(
        1.0,
        ge=0,
        allow_inf_nan=False,
        description=f"Seconds between simulated readings, {_SHORTEST_INTERVAL} or more; 0 turns the simulation off.",
    )
    simulation_patients: int = Field(20, ge=1, description="How many simulated patients there are.")
    simulation_seed: int = Field(
        2026, description="What the simulated patients are drawn from: the same seed and scenario, the same patients."
    )
    simulation_scenario: str = Field(
        "clinic",
        description="What happens to the simulated patients: `clinic`, `quiet-ward`, `treatment`, `ward-crisis`, or "
        "the path of a scenario file.",
    )
    unit_policy: UnitPolicy = Field(
        "assume-mmHg", description="What to do with a value that names no unit: `assume-mmHg` or `refuse`."
    )
    systolic_limits: Limits = Field(
        (30.0, 370.0), description="Between which systolic pressures, in mmHg, a reading is plausible."
    )
    diastolic_limits: Limits = Field(
        (10.0, 330.0), description="Between which diastolic pressures, in mmHg, a reading is plausible."
    )
    set_implausible_aside: bool = Field(
        True,
        description="Whether readings outside those limits, or whose systolic pressure is not above the diastolic one, "
        "are kept as implausible, neither counted nor alarmed; with `false` they are judged like any other.",
    )
    validation: Validation = Field(
        "rejects",
        description="What fhir.resources is for: `off`; `rejects` explains in dead letters what is invalid; `all` "
        "refuses what is not valid FHIR throughout, and is slow.",
    )
    record_max_bytes: int = Field(
        10 * 1024 * 1024, ge=1024, description="How long a record may be, as it came and unzipped."
    )
    fhir_token: SecretStr | None = Field(
        None, min_length=16, description="The bearer token of `POST /fhir`, which is off without one."
    )
    web_token: SecretStr | None = Field(
        None,
        min_length=16,
        description="The bearer token of the page, the views and the metrics, the same for all workers. Without one "
        "whoever is on this machine can look, and nobody can change anything over HTTP.",
    )
    audit_topic: str = Field(
        "bp_faust-audit",
        min_length=1,
        description="The topic on which is noted who changed settings, acknowledged alerts or replayed dead letters.",
    )
    notify_urls: SecretStr | None = Field(
        None,
        description="Whom to tell of alerts that are opened or escalate, as Apprise URLs with commas between them: "
        "`jsons://host/path` is a webhook, `mailtos://user:password@host?to=ward@example.org` an e-mail.",
    )
    notify_title: str = Field(
        "{title}: {severity}", description="The title of those messages; fields of an alert stand in braces."
    )
    notify_body: str = Field(
        "{title} of patient {patient_id}: {status} since {timestamp}, by {rule}.", description="Their text."
    )
    fhir_output: bool = Field(
        False,
        description="Whether averages (Observations) and alerts (Flags and Communications) go to a topic as FHIR.",
    )
    fhir_topic: str = Field("blood_pressure_fhir", description="The topic that those resources go out on.")
    fhir_subscriber_url: SecretStr | None = Field(
        None,
        description="Where to POST those resources, as Bundles of a FHIR subscription's notifications; with retries.",
    )
    default_time_zone: Annotated[str, AfterValidator(_known_time_zone)] = Field(
        "UTC", description="The time zone of times that name none, such as `Europe/Paris`."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read secrets from files too."""
        return init_settings, SecretFiles(settings_cls), env_settings

    def judges(self) -> Judges:
        """Return how readings are judged; raise PolicyError where a policy's file cannot be read or is wrong."""
        own = find_policy(self.policy)
        more = [find_policy(str(path)) for path in self.policy_files]
        return Judges({**POLICIES, **{policy.id: policy for policy in [*more, own]}}, own.id, self.measurement_setting)

    def notification_urls(self) -> list[str]:
        """Return whom to tell of alerts."""
        return [url.strip() for url in (self.secret("notify_urls") or "").split(",") if url.strip()]

    def parse_options(self) -> ParseOptions:
        """Return what this site decided about reading FHIR."""
        return ParseOptions(
            unit_policy=self.unit_policy,
            default_time_zone=self.default_time_zone,
            systolic_limits=self.systolic_limits,
            diastolic_limits=self.diastolic_limits,
            flag_implausible=self.set_implausible_aside,
            max_bytes=self.record_max_bytes,
            validation=self.validation,
        )

    def secret(self, name: str) -> str | None:
        """Return the plain text of a secret setting, None where it is not set."""
        value: SecretStr | None = getattr(self, name)
        return value.get_secret_value() if value is not None else None
