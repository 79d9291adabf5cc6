"""Find the Observations of a Bundle, and those that it deletes.

Every type of Bundle is read alike (http://hl7.org/fhir/R4/bundle.html): what counts is each entry's resource and
request. Other resources only help to tell the patients.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import copy

from bp_faust.fhir.identifiers import is_usable
from bp_faust.fhir.observations import optional_time, read_observation
from bp_faust.fhir.options import ParseOptions
from bp_faust.fhir.reasons import Reason
from bp_faust.fhir.refusals import RefusedError, below, member, objects
from bp_faust.fhir.statuses import ENTERED_IN_ERROR
from bp_faust.fhir.subjects import Neighbours, birth_date
from bp_faust.models import Reading, Rejection

_OBSERVATION_URL = re.compile(r"(?:[^?#]*/)?Observation/([^/?#]+)(?:/_history/[^/?#]+)?")
_ETAG = re.compile(r'(?:W/)?"([^"]+)"')
_LONGEST_URL = 2048
#: Digits that a float, by which versions are ordered, keeps exactly.
_LONGEST_VERSION = 15
#: What a subscription notification begins with: R5's SubscriptionStatus, or R4's Parameters in its place
#: (http://hl7.org/fhir/uv/subscriptions-backport).
_NOTIFICATION = frozenset({"SubscriptionStatus", "Parameters"})

_Entry = dict[str, object]

#: What was read, the Observation that it comes from (None where there is none as such), and that one's path.
Found = tuple[Reading | Rejection, dict[str, object] | None, str]


def read_bundle(bundle: dict[str, object], options: ParseOptions) -> Iterator[Found]:
    """Yield what each entry of a Bundle holds; raise RefusedError where that is nothing.

    A subscription's heartbeat or handshake, which reports no event, yields nothing.
    """
    entries = objects(bundle, "entry", "")
    reader = _Reader(entries, options)
    empty = True
    for index, entry in enumerate(entries):
        path = f"entry[{index}]"
        try:
            outcome: Reading | Rejection | None = reader.read(entry, path)
        except RefusedError as refused:
            outcome = refused.rejection()
        if outcome is not None:
            empty = False
            yield outcome, _observation(entry), below(path, "resource")
    if empty and not _is_notification(entries):
        raise RefusedError(Reason.NOTHING_INSIDE, "entry")


def _observation(entry: _Entry) -> _Entry | None:
    resource = entry.get("resource")
    return resource if isinstance(resource, dict) and resource.get("resourceType") == "Observation" else None


def _identity(entry: _Entry, observation: _Entry | None) -> str | None:
    identity = observation.get("id") if observation is not None else None
    request = entry.get("request")
    if identity is None and isinstance(request, dict):
        identity = observation_id(request.get("url"))
    return identity if isinstance(identity, str) else None


def _is_notification(entries: list[_Entry]) -> bool:
    first = entries[0].get("resource") if entries else None
    kind = first.get("resourceType") if isinstance(first, dict) else None
    return isinstance(kind, str) and kind in _NOTIFICATION


class _Reader:
    """Read the entries of one Bundle, each knowing of the others."""

    def __init__(self, entries: list[_Entry], options: ParseOptions) -> None:
        self._options = options
        resources: dict[str, _Entry] = {}
        birth_dates: dict[str, str] = {}
        self._neighbours = Neighbours(resources, birth_dates)
        #: Where the first version of each Observation stands that tells its patient, by id.
        self._former: dict[str, tuple[_Entry, str]] = {}
        self._greatest_version: dict[str, int] = {}
        self._withdrawals: dict[str, Reading | RefusedError] = {}
        for index, entry in enumerate(entries):
            url, resource, observation = entry.get("fullUrl"), entry.get("resource"), _observation(entry)
            if isinstance(url, str) and isinstance(resource, dict):
                resources[url] = resource
            if isinstance(resource, dict) and resource.get("resourceType") == "Patient":
                whose, born = resource.get("id"), birth_date(resource)
                if isinstance(whose, str) and born is not None:
                    birth_dates.setdefault(whose, born)
            identity = _identity(entry, observation)
            if observation is not None and identity is not None:
                if observation.get("subject") is not None:
                    self._former.setdefault(identity, (observation, f"entry[{index}].resource"))
                meta = observation.get("meta")
                number = _number(meta.get("versionId")) if isinstance(meta, dict) else None
                if number is not None:
                    self._greatest_version[identity] = max(number, self._greatest_version.get(identity, number))

    def read(self, entry: _Entry, path: str) -> Reading | None:
        """Return what an entry holds, None where it is not about an Observation; raise RefusedError."""
        request = member(entry, "request", dict, path) or {}
        if request.get("method") in ("DELETE", "PATCH"):
            return self._withdrawal(entry, request, path)
        observation = _observation(entry)
        if observation is not None:
            return read_observation(observation, below(path, "resource"), self._options, neighbours=self._neighbours)
        resource: _Entry | None = member(entry, "resource", dict, path)
        if resource is None and _names_observation(entry, request):
            raise RefusedError(Reason.NOTHING_INSIDE, path)
        if resource is not None and resource.get("resourceType") == "Bundle":
            raise RefusedError(Reason.RESOURCE_UNSUPPORTED, below(path, "resource"), "A Bundle within a Bundle.")
        if resource is not None and not isinstance(resource.get("resourceType"), str):
            raise RefusedError(Reason.RESOURCE_UNSUPPORTED, below(path, "resource.resourceType"))
        return None

    def _withdrawal(self, entry: _Entry, request: dict[str, object], path: str) -> Reading | None:
        """Return the withdrawal that a deleted Observation is, None where another resource is deleted.

        The patient is known only from the Observation itself, or another version of it in the same Bundle.
        """
        place = below(path, "request.url")
        observation = _observation(entry)
        url = member(request, "url", str, below(path, "request")) or ""
        identity = observation_id(url) or _identity(entry, observation)
        if request.get("method") == "PATCH" or identity is None:
            if identity is not None or url.rpartition("/")[2].startswith("Observation"):
                raise RefusedError(Reason.CHANGE_UNSUPPORTED, place)
            return None
        reading = self._withdrawn(identity, place)
        reading.version, modified = self._deleted_version(entry, request, path, identity)
        reading.last_updated = optional_time({"lastModified": modified}, "lastModified", path, self._options)
        return reading

    def _withdrawn(self, identity: str, place: str) -> Reading:
        """Return the withdrawal of an Observation that another entry holds; judge each only once, however often."""
        if identity not in self._withdrawals:
            former = self._former.get(identity)
            if former is None:
                detail = "It is not said whose Observation it is that is deleted."
                raise RefusedError(Reason.PATIENT_MISSING, place, detail)
            observation, path = former
            try:
                self._withdrawals[identity] = read_observation(
                    {**observation, "id": identity, "status": ENTERED_IN_ERROR},
                    path,
                    self._options,
                    neighbours=self._neighbours,
                )
            except RefusedError as refused:
                self._withdrawals[identity] = refused
        known = self._withdrawals[identity]
        if isinstance(known, RefusedError):
            raise known
        return copy(known)

    def _deleted_version(
        self, entry: _Entry, request: dict[str, object], path: str, identity: str
    ) -> tuple[str | None, object]:
        """Return version and time of a deletion: the server's answer, else one after the version that was deleted."""
        response = member(entry, "response", dict, path) or {}
        etag = _version(response.get("etag"))
        if etag is None:
            numbers = (_number(_version(request.get("ifMatch"))), self._greatest_version.get(identity))
            known = [number for number in numbers if number is not None]
            etag = str(max(known) + 1) if known else None
        return etag, response.get("lastModified")


def _names_observation(entry: _Entry, request: dict[str, object]) -> bool:
    """Return whether an entry without a resource tells of one: an id-only notification, or a change without content."""
    if request.get("method") in ("GET", "HEAD"):
        return False
    return any(observation_id(url) for url in (entry.get("fullUrl"), request.get("url")))


def observation_id(url: object) -> str | None:
    """Return the id of the Observation that a URL names, None where it names none."""
    match = _OBSERVATION_URL.fullmatch(url) if isinstance(url, str) and len(url) <= _LONGEST_URL else None
    return match[1] if match is not None else None


def _number(version: object) -> int | None:
    if isinstance(version, str) and version.isascii() and version.isdecimal() and len(version) <= _LONGEST_VERSION:
        return int(version)
    return None


def _version(etag: object) -> str | None:
    match = _ETAG.fullmatch(etag) if isinstance(etag, str) and len(etag) <= _LONGEST_URL else None
    return match[1] if match is not None and is_usable(match[1]) else None
