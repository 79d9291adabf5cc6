"""Serve the page, and sign people in to it."""

from __future__ import annotations

from importlib import resources
from typing import Any

import msgspec
from faust.web import Request, Response, View
from mode.utils.logging import get_logger
from msgspec import Struct

from bp_faust.app import app, settings
from bp_faust.web_access import ACCESS, same_secret
from bp_faust.web_answers import SessionState
from bp_faust.web_api import operation
from bp_faust.web_sessions import COOKIE, DURATION, Sessions

logger = get_logger(__name__)

#: What the page is made of, beside itself.
_MEDIA_TYPES = {"page.css": "text/css", "page.js": "text/javascript"}

#: Files change with the version only, and browsers ask again whether they did.
_KEPT_BUT_CHECKED = {"Cache-Control": "no-cache"}

_LONGEST_SIGN_IN_BYTES = 4096


def _file(name: str) -> str:
    return (resources.files("bp_faust") / "web" / name).read_text("utf-8")


@app.page("/", name="page")
class Page(View):
    """Show the patients to people."""

    @operation(str, media_type="text/html")
    async def get(self, request: Request) -> Response:
        """Return the page; it holds no data, and asks for ``/patients/`` by itself."""
        return self.html(_file("index.html"), headers=dict(_KEPT_BUT_CHECKED))


@app.page("/web/{name}", name="page-files")
class PageFiles(View):
    """Serve the page's script and style."""

    @operation(str, media_type="text/*")
    async def get(self, request: Request, name: str) -> Response:
        """Return one of the files."""
        if name not in _MEDIA_TYPES:
            return self.error(404, "There is no such file.")
        return self.text(_file(name), content_type=_MEDIA_TYPES[name], headers=dict(_KEPT_BUT_CHECKED))


class SignIn(Struct, forbid_unknown_fields=True):
    """Hold the body of a request that signs in."""

    token: str


@app.page("/session/", name="session")
class Session(View):
    """Sign people in and out."""

    @operation(SessionState)
    async def get(self, request: Any) -> Response:
        """Tell the page whether a sign-in is needed, and whether this browser has one."""
        return self.json(
            SessionState(
                token_needed=settings.secret("web_token") is not None, signed_in=request.get(ACCESS) is not None
            )
        )

    @operation(SessionState, body=SignIn)
    async def post(self, request: Any) -> Any:
        """Begin a session for who knows the token."""
        token = settings.secret("web_token")
        assert token is not None  # without one nothing that changes gets here
        if request.content_length is None or request.content_length > _LONGEST_SIGN_IN_BYTES:
            return self.error(413, "This is too long for a token.")
        try:
            given = msgspec.json.decode(await request.read(), type=SignIn)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return self.error(422, 'Send {"token": "..."}.')
        if not same_secret(given.token, token):
            logger.warning("A sign-in with a wrong token came from %s.", request.remote)
            return self.error(401, "This is not the token of this worker.")
        name, cookie = Sessions(token).begin()
        logger.info("Session %s begins, from %s.", name, request.remote)
        response: Any = self.json(SessionState(token_needed=True, signed_in=True))
        response.set_cookie(
            COOKIE,
            cookie,
            max_age=int(DURATION.total_seconds()),
            httponly=True,
            samesite="Strict",
            secure=_is_https(request),
        )
        return response

    @operation(SessionState)
    async def delete(self, request: Any) -> Any:
        """Take the session from this browser."""
        response: Any = self.json(SessionState(token_needed=True, signed_in=False))
        response.del_cookie(COOKIE, httponly=True, samesite="Strict", secure=_is_https(request))
        return response


def _is_https(request: Any) -> bool:
    return bool(request.secure or request.headers.get("X-Forwarded-Proto", "").lower().startswith("https"))
