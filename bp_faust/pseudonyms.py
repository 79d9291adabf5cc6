"""Put keyed hashes in the place of patients' and Observations' ids, for what leaves for Elasticsearch. Pure."""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import Literal

from msgspec.structs import replace

from bp_faust.models import AlertEvent, Anomaly

#: What a pseudonym begins with, so that nobody takes it for an id.
PREFIX = "pseudonym-"

#: How many hexadecimal digits follow: 128 bits, with which two of the same installation never meet.
_DIGITS = 32

#: How many characters a key has at least.
SHORTEST_KEY = 32


def patient_pseudonym(key: str, patient_id: str) -> str:
    """Return a patient's pseudonym, which is always the same for the same key."""
    return _pseudonym(key, "patient", patient_id)


def pseudonymise_anomaly(key: str, anomaly: Anomaly) -> Anomaly:
    """Return an anomaly without the ids that its producer chose."""
    return replace(
        anomaly,
        patient_id=patient_pseudonym(key, anomaly.patient_id),
        observation_id=_pseudonym(key, "observation", anomaly.observation_id),
    )


def pseudonymise_alert(key: str, event: AlertEvent) -> AlertEvent:
    """Return an alert without the ids that its producer chose, and without what somebody wrote of it in own words."""
    return replace(
        event,
        # An alert's own id is a hash without a key: who knows the ids that it was made of can tell whose it is.
        alert_id=_pseudonym(key, "alert", event.alert_id),
        patient_id=patient_pseudonym(key, event.patient_id),
        observation_id=_pseudonym(key, "observation", event.observation_id) if event.observation_id else "",
        acknowledged_because=None,
    )


def _pseudonym(key: str, kind: Literal["patient", "observation", "alert"], identity: str) -> str:
    digest = hmac.digest(key.encode(), f"{kind}\0{identity}".encode(), sha256)
    return PREFIX + digest.hex()[:_DIGITS]
