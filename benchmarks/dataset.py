"""Make the readings that all contenders process: the same ones for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

SEED = 2026
#: What the warm-up's readings are drawn from: other ones, as a worker counts a repeated Observation once.
WARM_UP_SEED = 2025
PARTITIONS = 4

#: The values of the seed's own producer, in mmHg. About 72 % of them are anomalies: more than any clinic sends, and so
#: more output for each record than in real use.
SYSTOLIC = (90, 180)
DIASTOLIC = (60, 120)

#: LOINC's codes of the two pressures (https://loinc.org/85354-9).
SYSTOLIC_CODE = "8480-6"
DIASTOLIC_CODE = "8462-4"

_FIRST_TIME = datetime(2026, 1, 1, tzinfo=timezone.utc)

#: An envelope as the seed's producer sends it, with the fields that FHIR servers add.
_ENVELOPE = (
    '{"patient":{"resourceType":"Patient","id":"%(patient)s","active":true,"name":[{"use":"official","family":"Doe",'
    '"given":["Jane"]}],"gender":"female","birthDate":"1950-01-01"},"observation":{"resourceType":"Observation",'
    '"id":"%(observation)s","meta":{"versionId":"1","lastUpdated":"%(time)s"},"status":"final","category":[{"coding":'
    '[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs","display":"Vital '
    'Signs"}]}],"code":{"coding":[{"system":"http://loinc.org","code":"85354-9","display":"Blood pressure panel"}]},'
    '"subject":{"reference":"Patient/%(patient)s"},"effectiveDateTime":"%(time)s","component":[{"code":{"coding":[{'
    '"system":"http://loinc.org","code":"8480-6","display":"Systolic blood pressure"}]},"valueQuantity":{"value":'
    '%(systolic)d,"unit":"mmHg","system":"http://unitsofmeasure.org","code":"mm[Hg]"}},{"code":{"coding":[{"system":'
    '"http://loinc.org","code":"8462-4","display":"Diastolic blood pressure"}]},"valueQuantity":{"value":'
    '%(diastolic)d,"unit":"mmHg","system":"http://unitsofmeasure.org","code":"mm[Hg]"}}]}}'
)


@dataclass(frozen=True)
class Reading:
    """Hold what is said in one envelope; pressures in mmHg, the time as ISO 8601 in UTC."""

    patient: str
    observation: str
    systolic: int
    diastolic: int
    time: str

    @property
    def anomaly_type(self) -> str | None:
        """Return what is wrong with it."""
        return classify(self.systolic, self.diastolic)

    @property
    def envelope(self) -> bytes:
        """Return it as the JSON that a producer sends."""
        return (_ENVELOPE % self.__dict__).encode()


@dataclass(frozen=True)
class Dataset:
    """Describe so many readings of so many patients."""

    records: int
    patients: int
    seed: int = SEED

    def readings(self) -> Iterator[Reading]:
        """Yield the readings; patients are drawn evenly, times follow one another by a second."""
        chance = random.Random(self.seed)
        for number in range(self.records):
            yield Reading(
                patient=patient_id(chance.randrange(self.patients)),
                observation=f"{chance.getrandbits(128):032x}",
                systolic=chance.randint(*SYSTOLIC),
                diastolic=chance.randint(*DIASTOLIC),
                time=(_FIRST_TIME + timedelta(seconds=number)).isoformat(timespec="milliseconds")[:-6] + "Z",
            )

    def envelopes(self) -> Iterator[bytes]:
        """Yield the readings as JSON."""
        return (reading.envelope for reading in self.readings())

    def anomalies(self) -> int:
        """Return how many of the readings are anomalies."""
        return sum(reading.anomaly_type is not None for reading in self.readings())

    def describe(self) -> str:
        """Say what the data is."""
        size = len(next(self.envelopes()))
        share = self.anomalies() / self.records
        return (
            f"{self.records:,} FHIR envelopes (Patient and blood-pressure Observation) of about {size} bytes, without "
            f"message keys, spread evenly over {PARTITIONS} partitions; {self.patients:,} patients; systolic "
            f"{SYSTOLIC[0]} to {SYSTOLIC[1]} and diastolic {DIASTOLIC[0]} to {DIASTOLIC[1]} mmHg as in the seed's "
            f"producer, so that {share:.0%} are anomalies; drawn with the seed {self.seed}."
        )


def classify(systolic: float, diastolic: float) -> str | None:
    """Return the seed's verdict on a reading in mmHg; on its own, so that it checks the product's."""
    if systolic > 140 or diastolic > 90:
        return "Hypertension"
    if systolic < 90 or diastolic < 60:
        return "Hypotension"
    return None


def patient_id(number: int) -> str:
    """Return the id of a patient by number."""
    return f"patient-{number:07d}"
