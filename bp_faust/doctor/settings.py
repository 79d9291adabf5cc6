"""Look for settings that do not go together, or do not do what whoever set them may think.

What is wrong by itself, such as a token that is too short or a file that cannot be read, no command starts with: each
ends with a line about it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from difflib import get_close_matches
from typing import Any

from yarl import URL

from bp_faust.doctor.findings import Finding, sentence
from bp_faust.settings.fields import Settings
from bp_faust.settings.secret_files import is_secret
from bp_faust.views.access import check_web_bind, is_loopback

_PREFIX = "BP_FAUST_"

#: Read by the local stack alone.
_OTHERS = {"BP_FAUST_CACHE_DIR"}


def look_at_settings(settings: Settings, conf: Any, environment: Mapping[str, str]) -> list[Finding]:
    """Return what is odd, or that nothing is; ``conf`` holds Faust's settings."""
    found = [Finding("settings", "wrong", sentence(text)) for text in _wrong(settings, conf)]
    found += [Finding("settings", "warning", sentence(text)) for text in _odd(settings, conf)]
    found += [Finding("settings", "warning", text) for text in _unknown(environment, known_variables(conf))]
    return found or [Finding("settings", "ok", "They go together.")]


def look_at_policies(settings: Settings) -> Finding:
    """Return by which policies readings are judged; no command starts where one of their files cannot be read."""
    more = f", and for who has another: {', '.join(map(str, settings.policy_files))}" if settings.policy_files else ""
    return Finding("policies", "ok", f"{settings.policy} for {settings.measurement_setting} readings{more}.")


def known_variables(conf: Any) -> set[str]:
    """Return the names of everything that is read from the environment."""
    ours = {f"{_PREFIX}{name.upper()}" for name in Settings.model_fields}
    secrets = {f"{_PREFIX}{name.upper()}_FILE" for name, field in Settings.model_fields.items() if is_secret(field)}
    fausts = {f"{_PREFIX}{parameter.env_name}" for parameter in conf.SETTINGS.values() if parameter.env_name}
    return ours | secrets | fausts | _OTHERS


def _wrong(settings: Settings, conf: Any) -> Iterator[str]:
    bind = check_web_bind(conf.web_bind or "", settings.web_token) if conf.web_enabled else None
    if bind is not None:
        yield bind


def _odd(settings: Settings, conf: Any) -> Iterator[str]:
    brokers = [url.host for url in conf.broker if url.host]
    elsewhere = [host for host in brokers if not is_loopback(host)]
    if settings.simulation_interval > 0 and elsewhere:
        yield (
            f"simulated readings go to {settings.readings_topic} on {elsewhere[0]} every "
            f"{settings.simulation_interval:g} s: set BP_FAUST_SIMULATION_INTERVAL to 0, if that is not meant"
        )
    if settings.broker_security_protocol == "SASL_PLAINTEXT" and elsewhere:
        yield (
            f"Kafka's user signs in on {elsewhere[0]} without TLS: set BP_FAUST_BROKER_SECURITY_PROTOCOL to SASL_SSL, "
            "where the brokers can"
        )
    search = URL(settings.elasticsearch_url)
    signs_in = settings.elasticsearch_api_key is not None or settings.elasticsearch_username is not None
    if search.scheme == "http" and signs_in and not is_loopback(search.host or ""):
        yield f"the credentials go to {search.host} without TLS: set an https:// address, if there is one"
    if settings.elasticsearch_api_key is not None and settings.elasticsearch_username is not None:
        yield "BP_FAUST_ELASTICSEARCH_USERNAME is not used beside BP_FAUST_ELASTICSEARCH_API_KEY: leave one of them out"
    if settings.elasticsearch_password is not None and settings.elasticsearch_username is None:
        yield "BP_FAUST_ELASTICSEARCH_PASSWORD is not used without BP_FAUST_ELASTICSEARCH_USERNAME: set that too"
    if settings.fhir_subscriber_url is not None and not settings.fhir_output:
        yield "nothing is sent to BP_FAUST_FHIR_SUBSCRIBER_URL: set BP_FAUST_FHIR_OUTPUT to true"
    if not is_loopback(conf.web_bind or "") and is_loopback(conf.web_host or ""):
        yield (
            f"other workers would look for this one at {conf.web_host}, their own machine: set BP_FAUST_WEB_HOST to "
            "the name under which they reach this one, if there are others"
        )


def _unknown(environment: Mapping[str, str], known: Set[str]) -> Iterator[str]:
    for name in sorted(name for name in environment if name.startswith(_PREFIX) and name.upper() not in known):
        close = get_close_matches(name, known, n=1, cutoff=0.8)
        yield f"{name} is not known, and does nothing: " + (
            f"{close[0]} may be meant." if close else "correct it, or leave it out."
        )
