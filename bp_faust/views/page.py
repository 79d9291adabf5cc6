"""Serve the page, and sign people in to it."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web
from faust.web import Request, Response, View
from mode.utils.logging import get_logger
from msgspec import Struct

from bp_faust.app import app, settings
from bp_faust.views.access import ACCESS, same_secret
from bp_faust.views.answers import SessionState
from bp_faust.views.operations import operation
from bp_faust.views.page_files import PageFile, read_page_files
from bp_faust.views.peers import delete_at_peers
from bp_faust.views.sessions import COOKIE, DURATION, Sessions, end_session

logger = get_logger(__name__)

#: Files change with the version only, and browsers ask again whether they did.
_KEPT_BUT_CHECKED = {"Cache-Control": "no-cache"}

_LONGEST_SIGN_IN_BYTES = 4096

_files = read_page_files()


def _answer(request: Any, file: PageFile) -> Any:
    known = request.if_none_match or ()
    response: Any
    if any(tag.value in (file.tag, "*") for tag in known):
        response = web.Response(status=304, headers=_KEPT_BUT_CHECKED)
    else:
        response = web.Response(
            body=file.content, content_type=file.media_type, charset="utf-8", headers=_KEPT_BUT_CHECKED
        )
    response.etag = file.tag
    return response


@app.page("/", name="page")
class Page(View):
    """Show the page to people."""

    @operation(str, media_type="text/html")
    async def get(self, request: Request) -> Response:
        """Return the page's shell; it holds no data, and its scripts ask for them."""
        return _answer(request, _files["index.html"])  # type: ignore[no-any-return]


@app.page("/web/{name:.+}", name="page-files")
class PageFiles(View):
    """Serve the page's scripts and styles."""

    @operation(str, media_type="text/*")
    async def get(self, request: Request, name: str) -> Response:
        """Return one of the files."""
        if name not in _files:
            return self.error(404, "There is no such file.")
        return _answer(request, _files[name])  # type: ignore[no-any-return]


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
        """End the session of this browser, at all workers that answer, and take it from it."""
        access = request.get(ACCESS)
        if access is not None and access.session is not None:
            end_session(access.session)
            await delete_at_peers(f"/session/{access.session}/")
        response: Any = self.json(SessionState(token_needed=True, signed_in=False))
        response.del_cookie(COOKIE, httponly=True, samesite="Strict", secure=_is_https(request))
        return response


@app.page("/session/{name}/", name="session-of-name")
class SessionOfName(View):
    """End sessions that were signed out at another worker."""

    @operation(None)
    async def delete(self, request: Request, name: str) -> Response:
        """End a session here alone; what it has open is closed."""
        end_session(name)
        return self.json(None)


def _is_https(request: Any) -> bool:
    return bool(request.secure or request.headers.get("X-Forwarded-Proto", "").lower().startswith("https"))
