"""Know the codes of blood pressure.

LOINC: 85354-9 is the panel of the FHIR vital signs profile (http://hl7.org/fhir/R4/bp.html), 55284-4 and 35094-2 the
panels before it, 96607-7 the panel of averages with its members 96608-5 and 96609-3. SNOMED CT: 75367002 blood
pressure, 271649006 systolic, 271650006 diastolic.
"""

from __future__ import annotations

from enum import Enum

LOINC = "http://loinc.org"
SNOMED_CT = "http://snomed.info/sct"


class Meaning(Enum):
    """Tell what a code of blood pressure stands for."""

    PANEL = "panel"
    SYSTOLIC = "systolic"
    DIASTOLIC = "diastolic"
    AVERAGE = "average"


#: The system and the meaning of each code. No two systems share a code, so that one without a system is understood.
BLOOD_PRESSURE: dict[str | None, tuple[str, Meaning]] = {
    "85354-9": (LOINC, Meaning.PANEL),
    "55284-4": (LOINC, Meaning.PANEL),
    "35094-2": (LOINC, Meaning.PANEL),
    "75367002": (SNOMED_CT, Meaning.PANEL),
    "8480-6": (LOINC, Meaning.SYSTOLIC),
    "271649006": (SNOMED_CT, Meaning.SYSTOLIC),
    "8462-4": (LOINC, Meaning.DIASTOLIC),
    "271650006": (SNOMED_CT, Meaning.DIASTOLIC),
    "96607-7": (LOINC, Meaning.AVERAGE),
    "96608-5": (LOINC, Meaning.AVERAGE),
    "96609-3": (LOINC, Meaning.AVERAGE),
}


def meaning(system: object, code: object) -> Meaning | None:
    """Return what a coding means for blood pressure, None for nothing; a coding of another system means nothing.

    A coding without a system counts, since the seed's producer sends its components so.
    """
    known = BLOOD_PRESSURE.get(code) if isinstance(code, str) else None
    return known[1] if known is not None and (system is None or system == known[0]) else None
