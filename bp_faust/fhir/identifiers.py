"""Judge the ids of resources."""

from __future__ import annotations

#: FHIR allows 64 characters (http://hl7.org/fhir/R4/datatypes.html#id); servers that keep longer ones exist, and a
#: patient's id may be an identifier with its system. Elasticsearch takes no document id beyond 512 bytes.
GREATEST_ID_LENGTH = 256


def is_usable(identity: str) -> bool:
    """Return whether an id can name something here: not empty, not overlong, without control characters."""
    return 0 < len(identity) <= GREATEST_ID_LENGTH and identity.isprintable()
