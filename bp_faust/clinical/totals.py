"""Add patients up: how many there are, and what was found of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from bp_faust.clinical.following import has_alerts, standing_alerts, status
from bp_faust.clinical.policy import SEVERITIES
from bp_faust.models import PatientState


class Totals(Struct, array_like=True, gc=False):
    """Hold what all patients of a partition, a worker or an installation make together."""

    patients: int = 0
    #: How many readings count.
    readings: int = 0
    implausible: int = 0
    #: How many of the readings that count are anomalies, by type.
    anomalies: dict[str, int] = {}
    #: How many alerts nobody has acknowledged, by severity.
    open_alerts: dict[str, int] = {}
    #: How many alerts somebody has, by severity.
    acknowledged_alerts: dict[str, int] = {}

    def add(self, state: PatientState, times: int = 1) -> None:
        """Count a patient; with -1 as ``times`` count one no more."""
        self.patients += times
        self.readings += times * state.readings
        self.implausible += times * state.implausible
        anomalies = self.anomalies
        for anomaly_type, number in state.anomalies.items():
            anomalies[anomaly_type] = anomalies.get(anomaly_type, 0) + times * number
        if not has_alerts(state):
            return
        for alert in standing_alerts(state):
            counts = self.acknowledged_alerts if status(state, alert) == "acknowledged" else self.open_alerts
            severity = SEVERITIES[alert.severity]
            counts[severity] = counts.get(severity, 0) + times


def together(some: Iterable[Totals]) -> Totals:
    """Return the sum of totals; counts of 0 are left out."""
    found = Totals()
    for one in some:
        found.patients += one.patients
        found.readings += one.readings
        found.implausible += one.implausible
        for counts, more in (
            (found.anomalies, one.anomalies),
            (found.open_alerts, one.open_alerts),
            (found.acknowledged_alerts, one.acknowledged_alerts),
        ):
            for name, number in more.items():
                counts[name] = counts.get(name, 0) + number
    for counts in (found.anomalies, found.open_alerts, found.acknowledged_alerts):
        for name in [name for name, number in counts.items() if not number]:
            del counts[name]
    return found
