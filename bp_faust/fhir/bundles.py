"""Find the Observations of a Bundle, and those that it deletes.

Every type of Bundle is read alike (http://hl7.org/fhir/R4/bundle.html): what counts is each entry's resource and
request. Other resources only help to tell the patients.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bp_faust.fhir.observations import read_observation
from bp_faust.fhir.options import ParseOptions
from bp_faust.fhir.reasons import Reason
from bp_faust.fhir.refusals import RefusedError, below, member, objects
from bp_faust.fhir.statuses import ENTERED_IN_ERROR
from bp_faust.models import Reading, Rejection

_OBSERVATION_URL = re.compile(r"(?:[^?#]*/)?Observation/([^/?#]+)(?:/_history/[^/?#]+)?")
_ETAG = re.compile(r'(?:W/)?"([^"]+)"')
_LONGEST_URL = 2048
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


def _is_notification(entries: list[_Entry]) -> bool:
    first = entries[0].get("resource") if entries else None
    return isinstance(first, dict) and first.get("resourceType") in _NOTIFICATION


class _Reader:
    """Read the entries of one Bundle, each knowing of the others."""

    def __init__(self, entries: list[_Entry], options: ParseOptions) -> None:
        self._options = options
        self._resources: dict[str, _Entry] = {}
        self._versions: dict[str, list[_Entry]] = {}
        for entry in entries:
            url, resource, observation = entry.get("fullUrl"), entry.get("resource"), _observation(entry)
            if isinstance(url, str) and isinstance(resource, dict):
                self._resources[url] = resource
            if observation is not None and isinstance(identity := observation.get("id"), str):
                self._versions.setdefault(identity, []).append(observation)

    def read(self, entry: _Entry, path: str) -> Reading | None:
        """Return what an entry holds, None where it is not about an Observation; raise RefusedError."""
        request = member(entry, "request", dict, path) or {}
        if request.get("method") in ("DELETE", "PATCH"):
            return self._withdrawal(entry, request, path)
        observation = _observation(entry)
        if observation is not None:
            return read_observation(observation, below(path, "resource"), self._options, resources=self._resources)
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
        identity = _observation_id(url)
        if identity is None and observation is not None:
            identity = member(observation, "id", str, below(path, "resource"))
        if request.get("method") == "PATCH" or identity is None:
            if identity is not None or url.rpartition("/")[2].startswith("Observation"):
                raise RefusedError(Reason.CHANGE_UNSUPPORTED, place)
            return None
        versions = self._versions.get(identity, [])
        candidates = versions if observation is None else [observation, *versions]
        known = next((version for version in candidates if version.get("subject") is not None), None)
        if known is None:
            raise RefusedError(Reason.PATIENT_MISSING, place, "It is not said whose Observation it is that is deleted.")
        version, modified = _deleted_version(entry, request, path, versions)
        meta = {"versionId": version, "lastUpdated": modified}
        gone = {**known, "resourceType": "Observation", "id": identity, "status": ENTERED_IN_ERROR, "meta": meta}
        return read_observation(gone, below(path, "resource"), self._options, resources=self._resources)


def _names_observation(entry: _Entry, request: dict[str, object]) -> bool:
    """Return whether an entry without a resource tells of one: an id-only notification, or a change without content."""
    if request.get("method") in ("GET", "HEAD"):
        return False
    return any(isinstance(url, str) and _observation_id(url) for url in (entry.get("fullUrl"), request.get("url")))


def _observation_id(url: str) -> str | None:
    match = _OBSERVATION_URL.fullmatch(url) if len(url) <= _LONGEST_URL else None
    return match[1] if match is not None else None


def _deleted_version(
    entry: _Entry, request: dict[str, object], path: str, versions: list[_Entry]
) -> tuple[str | None, str | None]:
    """Return version and time of a deletion: the server's answer, else one after the version that was deleted."""
    response = member(entry, "response", dict, path) or {}
    modified = response.get("lastModified")
    modified = modified if isinstance(modified, str) else None
    etag = _version(response.get("etag"))
    if etag is not None:
        return etag, modified
    numbers = [_version(request.get("ifMatch"))]
    for version in versions:
        meta = version.get("meta")
        numbers.append(text if isinstance(meta, dict) and isinstance(text := meta.get("versionId"), str) else None)
    known = [int(text) for text in numbers if text is not None and text.isdecimal() and len(text) <= 15]
    return (str(max(known) + 1) if known else None), modified


def _version(etag: object) -> str | None:
    match = _ETAG.fullmatch(etag) if isinstance(etag, str) and len(etag) <= _LONGEST_URL else None
    return match[1] if match is not None else None
