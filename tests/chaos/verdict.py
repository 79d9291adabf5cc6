"""Compare what an installation made of its input with what an independent fold over the input makes of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from tests import oracle
from tests.chaos.figures import Figures
from tests.chaos.installation import Installation
from tests.kafka_client import read_all
from tests.pipeline import documents, table_counts, wait_until_drained


@dataclass(frozen=True)
class Verdict:
    """Hold how much is wrong, each a number of readings, records or patients."""

    #: In neither the index nor the dead letters, although they belong there.
    missing: int
    #: Documents of one reading beyond its first.
    doubled: int
    #: Documents that say something else than they should, or should not be there.
    wrong: int
    #: Records on the anomalies topic beyond one for each anomaly, or fewer.
    told_otherwise: int
    #: Patients whose counts differ.
    miscounted: int
    patients: int
    #: The same, after all tables were rebuilt from their changelogs.
    miscounted_when_rebuilt: int

    @property
    def is_right(self) -> bool:
        """Tell whether nothing is wrong."""
        return not any((self.missing, self.doubled, self.wrong, self.told_otherwise)) and not (
            self.miscounted or self.miscounted_when_rebuilt
        )

    def add_to(self, figures: Figures, case: str) -> None:
        """Add the figures that every case has."""
        figures.add(
            case,
            "readings missing from Elasticsearch and dead letters together, documents doubled or wrong",
            "0, 0",
            f"{self.missing}, {self.doubled + self.wrong}",
            reached=not (self.missing or self.doubled or self.wrong),
        )
        figures.add(
            case,
            "patients whose counts are right; and after a rebuild from the changelog alone",
            f"{self.patients}; {self.patients}",
            f"{self.patients - self.miscounted}; {self.patients - self.miscounted_when_rebuilt}",
            reached=not (self.miscounted or self.miscounted_when_rebuilt),
        )
        figures.add(
            case,
            "records too many or too few on the anomalies topic",
            "0",
            str(self.told_otherwise),
            reached=not self.told_otherwise,
        )


async def verdict(
    installation: Installation, envelopes: Sequence[dict[str, Any]], bad: Iterable[bytes] = (), seconds: float = 300
) -> Verdict:
    """Wait until all is worked through; compare; rebuild all tables, and compare again.

    ``bad`` are the records, each different, that belong into the dead letters.
    """
    settings = installation.settings
    await wait_until_drained(settings, seconds)
    await installation.wait_until_ready()
    expected_counts = oracle.counts(envelopes)
    miscounted = await _miscounted(installation, expected_counts)

    expected = oracle.documents(envelopes)
    found = await documents(settings)
    types = {(one["patient_id"], one["observation_id"]): one["anomaly_type"] for one in found}
    letters = {record.value for record in await read_all(settings.kafka, settings.dead_letters_topic)}
    told = Counter(
        (anomaly["patient_id"], anomaly["observation_id"], anomaly["anomaly_type"])
        for anomaly in (
            orjson.loads(record.value) for record in await read_all(settings.kafka, settings.anomalies_topic)
        )
    )
    to_tell = Counter((patient, observation, kind) for (patient, observation), kind in expected.items())

    for worker in installation.running:
        installation.kill(worker, forget=True)
    await installation.wait_until_ready()
    return Verdict(
        missing=len(set(expected) - set(types)) + len(set(bad) - letters),
        doubled=len(found) - len(types),
        wrong=sum(expected.get(key) != kind for key, kind in types.items()),
        told_otherwise=(told - to_tell).total() + (to_tell - told).total(),
        miscounted=miscounted,
        patients=len(expected_counts),
        miscounted_when_rebuilt=await _miscounted(installation, expected_counts),
    )


async def _miscounted(installation: Installation, expected: dict[str, dict[str, int]]) -> int:
    counts: dict[str, dict[str, int]] = await asyncio.to_thread(table_counts, installation.running[0])
    return sum(counts.get(patient) != count for patient, count in expected.items()) + len(set(counts) - set(expected))
