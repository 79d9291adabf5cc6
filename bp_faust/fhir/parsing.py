"""Turn the bytes of a record into readings and refusals."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from bp_faust.fhir import fast_path
from bp_faust.fhir.bundles import Found, read_bundle
from bp_faust.fhir.documents import decode, unwrap
from bp_faust.fhir.observations import read_observation
from bp_faust.fhir.options import ParseOptions
from bp_faust.fhir.reasons import Reason
from bp_faust.fhir.refusals import RefusedError, below, member
from bp_faust.fhir.validation import Problem, problems
from bp_faust.models import Reading, Rejection

_DEFAULT_OPTIONS = ParseOptions()
#: How many refusals of one record are explained, and up to which length of it, so that a hostile one costs little.
_MOST_EXPLAINED = 10
_LONGEST_EXPLAINED = 256 * 1024


def parse(raw: bytes, options: ParseOptions = _DEFAULT_OPTIONS) -> list[Reading | Rejection]:
    """Return the readings and refusals of one record in its order, for any bytes whatever.

    A record is an Observation, a Bundle, or an envelope ``{"patient": ..., "observation": ...}``, in JSON, zipped by
    gzip or not. Pressures are in mmHg, times in seconds since 1970; ``received`` and ``position`` stay unset. A Bundle
    that only keeps a subscription alive has no outcome at all; every other record has one at least.
    """
    if len(raw) <= options.max_bytes and options.validation != "all":
        reading = fast_path.read(raw, options)
        if reading is not None:
            return [reading]
    return parse_generally(raw, options)


def parse_generally(raw: bytes, options: ParseOptions = _DEFAULT_OPTIONS) -> list[Reading | Rejection]:
    """Return the same as ``parse``, without its fast path."""
    outcomes: list[Reading | Rejection] = []
    explained = 0
    try:
        text = unwrap(raw, options.max_bytes)
        for outcome, observation, path in _read(decode(text), options):
            if observation is None or options.validation == "off":
                outcomes.append(outcome)
            elif isinstance(outcome, Reading):
                outcomes.append(_required_valid(outcome, observation, path) if options.validation == "all" else outcome)
            elif explained < _MOST_EXPLAINED and len(text) <= _LONGEST_EXPLAINED:
                explained += 1
                outcomes.append(_explained(outcome, observation))
            else:
                outcomes.append(outcome)
    except RefusedError as refused:
        outcomes.append(refused.rejection())
    return outcomes


def _read(document: dict[str, object], options: ParseOptions) -> Iterator[Found]:
    kind = member(document, "resourceType", str, "")
    if kind == "Bundle":
        yield from read_bundle(document, options)
        return
    patient = None
    if kind == "Observation":
        observation, path = document, ""
    elif kind is None and document.get("observation") is not None:
        observation, path = member(document, "observation", dict, "") or {}, "observation"
        patient = member(document, "patient", dict, "")
        if member(observation, "resourceType", str, path) not in ("Observation", None):
            raise RefusedError(Reason.RESOURCE_UNSUPPORTED, below(path, "resourceType"))
    else:
        raise RefusedError(Reason.RESOURCE_UNSUPPORTED, "resourceType" if kind is not None else "")
    try:
        outcome: Reading | Rejection = read_observation(observation, path, options, patient=patient)
    except RefusedError as refused:
        outcome = refused.rejection()
    yield outcome, observation, path


def _required_valid(reading: Reading, observation: dict[str, object], path: str) -> Reading | Rejection:
    found = problems(observation)
    if not found:
        return reading
    place = below(path, found[0].path) if found[0].path else path
    return RefusedError(Reason.FHIR_INVALID, place, _with_problems(Reason.FHIR_INVALID.meaning, found)).rejection()


def _explained(rejection: Rejection, observation: dict[str, object]) -> Rejection:
    found = problems(observation)
    return msgspec.structs.replace(rejection, detail=_with_problems(rejection.detail, found)) if found else rejection


def _with_problems(sentence: str, found: list[Problem]) -> str:
    listed = ", ".join(f"{problem.path or '$'} ({problem.kind})" for problem in found)
    return f"{sentence.rstrip('.')}; as FHIR it is invalid at {listed}."
