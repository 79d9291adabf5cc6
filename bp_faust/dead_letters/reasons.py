"""Explain the codes that dead letters name: those of FHIR records, and those of the records of our own topics."""

from __future__ import annotations

import re
from typing import NamedTuple

from bp_faust.fhir.reasons import BY_CODE

SETTINGS_INVALID = "settings-invalid"
NOT_AN_ANOMALY = "not-an-anomaly"
NOT_AN_ALERT = "not-an-alert"


class Explanation(NamedTuple):
    """Hold what a code means, and what the sender should do, as sentences."""

    meaning: str
    remedy: str


_OURS = {
    SETTINGS_INVALID: Explanation(
        "A record of the topic of patients' settings cannot be used as settings.",
        "Set them by the command `patient set`, or over HTTP, which say what is wrong.",
    ),
    NOT_AN_ANOMALY: Explanation(
        "A record of the topic of anomalies is none that bp_faust wrote.",
        "Let nothing else write to that topic.",
    ),
    NOT_AN_ALERT: Explanation(
        "A record of the topic of alerts is none that bp_faust wrote.",
        "Let nothing else write to that topic.",
    ),
}

_BY_ELASTICSEARCH = Explanation(
    "Elasticsearch refused the document for good, with the status that the code names.",
    "Mend what the detail names in the index, and have the record's topic read again.",
)

EXPLANATIONS = {code: Explanation(reason.meaning, reason.remedy) for code, reason in BY_CODE.items()} | _OURS


def refused_by_elasticsearch(status: int) -> str:
    """Return the code for a document that Elasticsearch answered with a status."""
    return f"elasticsearch-{status}"


def explain(code: str) -> Explanation | None:
    """Return what a code means; None where it is none of ours."""
    if re.fullmatch(r"elasticsearch-\d{3}", code):
        return _BY_ELASTICSEARCH
    return EXPLANATIONS.get(code)


def our_reason_table() -> str:
    """Return those of our own topics as a Markdown table: code, meaning, what to do."""
    rows = [(f"`{code}`", one) for code, one in _OURS.items()]
    rows.append((f"`{refused_by_elasticsearch(400)}`, or another status", _BY_ELASTICSEARCH))
    heads = ["| Code | Meaning | What to do |", "|---|---|---|"]
    return "\n".join([*heads, *(f"| {code} | {one.meaning} | {one.remedy} |" for code, one in rows), ""])
