"""Know the codes of ``Observation.status`` (http://hl7.org/fhir/R4/valueset-observation-status.html)."""

from __future__ import annotations

ENTERED_IN_ERROR = "entered-in-error"
#: The Observation stands, whether or not it is complete.
IN_FORCE = frozenset({"registered", "preliminary", "final", "amended", "corrected", "unknown"})
#: The Observation is taken back, or never came about.
WITHDRAWN = frozenset({"cancelled", ENTERED_IN_ERROR})
