"""Let in who may see and change things over HTTP: the one place that every request passes."""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import orjson
from aiohttp.web import HTTPException, Request, RequestKey, Response, StreamResponse, middleware
from mode.utils.logging import get_logger
from yarl import URL

from bp_faust.fhir.interactions import failure
from bp_faust.views.sessions import COOKIE, Sessions

if TYPE_CHECKING:
    from bp_faust.settings.fields import Settings

logger = get_logger(__name__)

Handler = Callable[[Request], Awaitable[StreamResponse]]
Middleware = Callable[[Request, Handler], Awaitable[StreamResponse]]

#: What anyone may ask for: whether the process answers, and what a sign-in takes. None of it holds any data.
OPEN_ROUTES = frozenset({"/livez", "/", "/web/{name}", "/session/"})

#: On every answer. The page has its scripts and styles in files of its own, and nothing else may run in it or frame it.
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

_ASK_FOR_TOKEN = {"WWW-Authenticate": 'Bearer realm="bp_faust"'}
_TOKEN_WANTED = "Send the header Authorization: Bearer with the token of this worker"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_FHIR_ROUTE = re.compile("/fhir(/.*)?")


class Access(NamedTuple):
    """Say by what a request was let in."""

    by: Literal["token", "session"]
    #: Which session, as it was named when it began.
    session: str | None = None


#: Where a request keeps it.
ACCESS = RequestKey("access", Access)


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches an address: 127.0.0.0/8, ::1 or ``localhost``."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_web_bind(address: str, token: object | None) -> str | None:
    """Say what is wrong where anyone on the network could look into the worker without a token, None where nobody."""
    if token is not None or is_loopback(address):
        return None
    return (
        f"the web server is to listen on {address}, where others reach it, and BP_FAUST_WEB_TOKEN is not set: set it "
        "to 16 characters or more, or BP_FAUST_WEB_BIND to 127.0.0.1."
    )


def has_token(request: Request, token: str) -> bool:
    """Tell whether a request bears a token; how long that takes says nothing of how much of it is right."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and same_secret(given.strip(), token)


def same_secret(given: str, token: str) -> bool:
    """Compare in a time that says nothing of how much of it is right."""
    # What came in a header may hold bytes that are no text.
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), token.encode())


def credentials(request: Any) -> dict[str, str]:
    """Return the headers by which a request was let in, to ask other workers on its behalf."""
    return {name: request.headers[name] for name in ("Authorization", "Cookie") if name in request.headers}


def is_over(request: Request, settings: Settings) -> bool:
    """Tell whether the session by which a request was let in has ended since."""
    access, token = request.get(ACCESS), settings.secret("web_token")
    if access is None or access.by != "session" or token is None:
        return False
    return Sessions(token).read(request.cookies.get(COOKIE, "")) is None


def is_from_our_page(request: Request) -> bool:
    """Tell whether a browser says that the page of this very address made the request, and not another site's.

    Sec-Fetch-Site is sent to HTTPS and to this machine only; else Origin must be the address that was asked.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    origin, host = request.headers.get("Origin"), request.headers.get("Host")
    try:
        return bool(origin and host) and URL(str(origin)).authority == URL(f"http://{host}").authority
    except ValueError:
        return False


def web_guard(settings: Settings, own_name: Callable[[], str | None]) -> Middleware:
    """Make the middleware that lets requests in or refuses them, and that puts security headers on every answer.

    ``own_name`` returns the name under which this worker is reached, which Faust knows only after its command line.
    """
    guard = _Guard(settings.secret("web_token"), settings.secret("fhir_token"), own_name)

    @middleware
    async def admit(request: Request, handler: Handler) -> StreamResponse:
        try:
            response = guard.refusal(request) or await handler(request)
        except HTTPException as exc:
            _secure(exc)
            raise
        except Exception:
            # Not the path itself, which may name a patient.
            logger.exception("A request of %s could not be answered", _route(request))
            response = _error(500, "Something is wrong in the worker; its log tells what.")
        _secure(response)
        return response

    return admit


class _Guard:
    """Decide who is let in."""

    def __init__(self, web_token: str | None, fhir_token: str | None, own_name: Callable[[], str | None]) -> None:
        self._token = web_token
        self._fhir_token = fhir_token
        self._own_name = own_name
        self._sessions = Sessions(web_token) if web_token is not None else None

    def refusal(self, request: Request) -> Response | None:
        """Return the answer to who is not let in, None for who is."""
        route = _route(request)
        if route == "/livez":
            return None
        changes = request.method not in _SAFE_METHODS
        is_fhir = route is not None and _FHIR_ROUTE.fullmatch(route) is not None
        if is_fhir and self._fhir_token is not None:
            if has_token(request, self._fhir_token):
                return None
            if changes:
                return _fhir_unauthorized()
        if self._token is None:
            return self._refusal_without_token(request, changes and not is_fhir)
        access = self._access(request)
        if access is not None:
            request[ACCESS] = access
        elif route not in OPEN_ROUTES:
            return _fhir_unauthorized() if is_fhir else _error(401, f"{_TOKEN_WANTED}.", _ASK_FOR_TOKEN)
        if changes and (access is None or access.by == "session") and not is_from_our_page(request):
            return _error(403, "This comes from another site; without a browser, send the token as Authorization.")
        return None

    def _refusal_without_token(self, request: Request, changes: bool) -> Response | None:
        if changes:
            return _error(404, "Nothing can be changed here: BP_FAUST_WEB_TOKEN is not set.")
        # Any site can have its name lead to 127.0.0.1, and its scripts then read what is open here.
        if not self._is_asked_by_name_of_ours(request):
            return _error(
                421,
                "Ask for localhost, 127.0.0.1, [::1] or the name in BP_FAUST_WEB_HOST; with BP_FAUST_WEB_TOKEN set any "
                "name will do.",
            )
        return None

    def _is_asked_by_name_of_ours(self, request: Request) -> bool:
        try:
            host = URL(f"http://{request.headers.get('Host', '')}").host
        except ValueError:
            return False
        return host is not None and (is_loopback(host) or host == self._own_name())

    def _access(self, request: Request) -> Access | None:
        assert self._token is not None
        assert self._sessions is not None
        if has_token(request, self._token):
            return Access("token")
        session = self._sessions.read(request.cookies.get(COOKIE, ""))
        if session is not None:
            return Access("session", session)
        if "Authorization" in request.headers:
            logger.warning("A wrong token came from %s.", request.remote)
        return None


def _route(request: Request) -> str | None:
    """Return the route as it was declared, such as ``/patients/{patient_id}/``; None where there is none."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else None


def _secure(response: StreamResponse) -> None:
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)


def _error(status: int, told: str, headers: dict[str, str] | None = None) -> Response:
    body = orjson.dumps({"error": told})
    return Response(body=body, status=status, headers=headers, content_type="application/json", charset="utf-8")


def _fhir_unauthorized() -> Response:
    answer = failure(401, "login", f"{_TOKEN_WANTED}'s /fhir.")
    body = orjson.dumps(answer.resource)
    return Response(body=body, status=401, headers=_ASK_FOR_TOKEN, content_type="application/fhir+json")
