"""Hold what the contenders that we wrote share: a run's names, and the job itself on plain JSON."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from benchmarks.dataset import DIASTOLIC_CODE, SYSTOLIC_CODE, classify

#: How often a contender that commits by the clock does so, in seconds. With their defaults, 2.8 s and 5 s, the wait for
#: the last commit would decide a short run.
COMMIT_SECONDS = 1.0


class Run:
    """Read a run's names from the environment."""

    def __init__(self) -> None:
        self.kafka = os.environ["BENCHMARK_KAFKA"]
        self.group = os.environ["BENCHMARK_GROUP"]
        self.readings = os.environ["BENCHMARK_READINGS"]
        self.anomalies = os.environ["BENCHMARK_ANOMALIES"]
        self.directory = Path(os.environ["BENCHMARK_DIRECTORY"])


def patient_of(envelope: dict[str, Any]) -> str:
    """Return the patient's id."""
    identity: str = envelope["patient"]["id"]
    return identity


def new_state() -> dict[str, Any]:
    """Return what is known of a patient before the first reading."""
    return {"readings": 0, "anomalies": {}, "latest": None}


def step(state: dict[str, Any], envelope: dict[str, Any]) -> dict[str, Any] | None:
    """Count a reading in a patient's state, which is changed; return the anomaly to tell of, if it is one.

    It keeps the counts and the latest reading, and counts a repeated reading twice: less than this worker does.
    """
    observation = envelope["observation"]
    values = {part["code"]["coding"][0]["code"]: part["valueQuantity"]["value"] for part in observation["component"]}
    systolic, diastolic = float(values[SYSTOLIC_CODE]), float(values[DIASTOLIC_CODE])
    time = observation["effectiveDateTime"]
    anomaly_type = classify(systolic, diastolic)
    state["readings"] += 1
    if state["latest"] is None or time >= state["latest"]["timestamp"]:
        state["latest"] = {
            "observation_id": observation["id"],
            "systolic_pressure": systolic,
            "diastolic_pressure": diastolic,
            "timestamp": time,
        }
    if anomaly_type is None:
        return None
    state["anomalies"][anomaly_type] = state["anomalies"].get(anomaly_type, 0) + 1
    return {
        "patient_id": patient_of(envelope),
        "observation_id": observation["id"],
        "systolic_pressure": systolic,
        "diastolic_pressure": diastolic,
        "anomaly_type": anomaly_type,
        "timestamp": time,
    }
