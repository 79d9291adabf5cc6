"""Who is let in over HTTP, and what every answer says to browsers."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from aiohttp import test_utils, web
from pydantic import SecretStr

from bp_faust.settings.fields import Settings
from bp_faust.views.access import SECURITY_HEADERS, is_loopback, web_guard
from bp_faust.views.sessions import COOKIE, Sessions, end_session

WEB = Path(__file__).parents[2] / "bp_faust" / "web"
TOKEN = "a-token-for-tests-only"
FHIR_TOKEN = "another-one-for-fhir"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
FHIR_BEARER = {"Authorization": f"Bearer {FHIR_TOKEN}"}
FROM_PAGE = {"Sec-Fetch-Site": "same-origin"}


def _session(token: str = TOKEN) -> dict[str, str]:
    return {"Cookie": f"{COOKIE}={Sessions(token).begin()[1]}"}


@asynccontextmanager
async def guarded(web_token: str | None, fhir_token: str | None = None) -> AsyncIterator[test_utils.TestClient]:
    """Serve some routes behind the guard, as the worker does."""
    settings = Settings(
        web_token=SecretStr(web_token) if web_token else None, fhir_token=SecretStr(fhir_token) if fhir_token else None
    )

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/broken/":
            raise RuntimeError("patient-17")
        return web.json_response({})

    app = web.Application(middlewares=[web_guard(settings, lambda: "worker.example")])
    for path in (
        "/",
        "/livez",
        "/readyz",
        "/session/",
        "/patients/{patient_id}/",
        "/broken/",
        "/fhir",
        "/fhir/metadata",
    ):
        app.router.add_route("*", path, answer)
    app.router.add_get("/readonly/", answer)
    async with test_utils.TestClient(test_utils.TestServer(app)) as client:
        yield client


async def status(client: test_utils.TestClient, method: str, path: str, headers: dict[str, str] | None = None) -> int:
    async with client.request(method, path, headers=headers) as response:
        for name, value in SECURITY_HEADERS.items():
            assert response.headers[name] == value
        assert not [name for name in response.headers if name.startswith("Access-Control-")]
        assert "<" not in await response.text()
        return response.status


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("LOCALHOST", True),
        ("", False),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.2", False),
        ("localhost.example.org", False),
        ("127.0.0.1.example.org", False),
    ],
)
def test_only_this_machine_reaches_a_loopback_address(host: str, ours: bool) -> None:
    assert is_loopback(host) is ours


async def test_with_a_token_everything_but_the_open_routes_needs_it() -> None:
    async with guarded(TOKEN) as client:
        for path in ("/", "/livez", "/session/"):
            assert await status(client, "GET", path) == 200
        for path in ("/readyz", "/patients/p/", "/fhir", "/fhir/metadata", "/table/", "/nowhere", "/livez/"):
            for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
                assert await status(client, method, path) == 401, (method, path)
        assert await status(client, "GET", "/readyz", BEARER) == 200
        assert await status(client, "POST", "/patients/p/", BEARER) == 200
        assert await status(client, "GET", "/nowhere", BEARER) == 404
        assert await status(client, "POST", "/readonly/", BEARER) == 405
        assert await status(client, "GET", "/readyz", {**BEARER, "Host": "bp.example.org"}) == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer nonsense"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Bearer {TOKEN[:-1]}"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer \udcff\udcfe"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": f"Bearer {FHIR_TOKEN}"},
        {"Cookie": f"{COOKIE}={TOKEN}"},
        {"Cookie": f"{COOKIE}=a.b.c"},
        _session("another-token-for-tests"),
    ],
)
async def test_what_is_not_the_token_opens_nothing(headers: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    async with guarded(TOKEN, FHIR_TOKEN) as client:
        assert await status(client, "GET", "/readyz", headers) == 401
    assert not [secret for secret in (*headers.values(), TOKEN) if secret.split()[-1] in caplog.text]


async def test_a_session_changes_things_for_our_own_page_only() -> None:
    async with guarded(TOKEN) as client:
        own = f"http://{client.host}:{client.port}"
        for more, expected in (
            (FROM_PAGE, 200),
            ({"Origin": own}, 200),
            ({"Origin": own, "Sec-Fetch-Site": "cross-site"}, 403),
            ({"Sec-Fetch-Site": "same-site"}, 403),
            ({"Sec-Fetch-Site": "none"}, 403),
            ({"Origin": f"http://{client.host}:1"}, 403),
            ({"Origin": "https://evil.example"}, 403),
            ({"Origin": "null"}, 403),
            ({}, 403),
        ):
            for method in ("POST", "PUT", "DELETE"):
                assert await status(client, method, "/patients/p/", {**_session(), **more}) == expected, more
        assert await status(client, "GET", "/patients/p/", _session()) == 200
        # A sign-in is nobody's yet, and no other site can make it.
        assert await status(client, "POST", "/session/", {"Origin": "https://evil.example"}) == 403
        assert await status(client, "POST", "/session/", FROM_PAGE) == 200
        # Who sends the token is no browser that was led astray.
        assert await status(client, "POST", "/patients/p/", {**BEARER, "Origin": "https://other.example"}) == 200


async def test_without_a_token_this_machine_looks_and_changes_nothing() -> None:
    async with guarded(None) as client:
        for path in ("/", "/livez", "/readyz", "/patients/p/"):
            assert await status(client, "GET", path) == 200
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            for path in ("/patients/p/", "/session/", "/nowhere"):
                assert await status(client, method, path, FROM_PAGE) == 404
        for host in ("localhost", "LOCALHOST:1", "127.0.0.1:6066", "[::1]:6066", "worker.example:6066"):
            assert await status(client, "GET", "/patients/p/", {"Host": host}) == 200
        for host in ("evil.example", "evil.example:6066", "127.0.0.1.evil.example", "[::", "a@b:c", ""):
            assert await status(client, "GET", "/patients/p/", {"Host": host}) == 421, host


async def test_the_fhir_token_is_for_fhir_alone() -> None:
    async with guarded(TOKEN, FHIR_TOKEN) as client:
        assert await status(client, "POST", "/fhir", FHIR_BEARER) == 200
        assert await status(client, "GET", "/fhir/metadata", FHIR_BEARER) == 200
        assert await status(client, "GET", "/fhir/metadata", BEARER) == 200
        assert await status(client, "GET", "/fhir/metadata") == 401
        assert await status(client, "POST", "/fhir", BEARER) == 401
        assert await status(client, "POST", "/fhir", {**_session(), **FROM_PAGE}) == 401
        assert await status(client, "POST", "/patients/p/", FHIR_BEARER) == 401
    async with guarded(None, FHIR_TOKEN) as client:
        assert await status(client, "GET", "/fhir/metadata") == 200
        assert await status(client, "POST", "/fhir") == 401
        assert await status(client, "POST", "/fhir", {**FHIR_BEARER, "Host": "bp.example.org"}) == 200


async def test_what_breaks_is_told_without_what_it_was_about(caplog: pytest.LogCaptureFixture) -> None:
    async with guarded(None) as client, client.get("/broken/") as response:
        assert response.status == 500
        assert "patient-17" not in await response.text()
        assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_a_session_is_known_by_whoever_has_the_token_until_it_is_over() -> None:
    name, cookie = Sessions(TOKEN).begin()
    now = datetime.now(timezone.utc)
    assert TOKEN not in cookie
    assert Sessions(TOKEN).read(cookie) == name
    assert Sessions(TOKEN).read(cookie, now + timedelta(hours=11, minutes=59)) == name
    assert Sessions(TOKEN).read(cookie, now + timedelta(hours=12, seconds=1)) is None
    assert Sessions(TOKEN).read(cookie, now - timedelta(minutes=5)) == name  # a worker whose clock is behind
    assert Sessions(f"{TOKEN}2").read(cookie) is None
    begun = cookie.split(".")[1]
    for forged in (f"x{cookie}", cookie.replace(begun, begun[::-1]), cookie[:-1], f"{name}.{begun}", "", ".", "\udcff"):
        assert Sessions(TOKEN).read(forged) is None


async def test_a_session_that_is_signed_out_is_over_for_who_kept_its_cookie() -> None:
    name, cookie = Sessions(TOKEN).begin()
    async with guarded(TOKEN) as client:
        kept = {"Cookie": f"{COOKIE}={cookie}"}
        assert await status(client, "GET", "/patients/p/", kept) == 200
        end_session(name)
        assert await status(client, "GET", "/patients/p/", kept) == 401
        assert await status(client, "GET", "/patients/p/", _session()) == 200


def test_the_page_runs_its_own_files_only_and_writes_text_only() -> None:
    page = (WEB / "index.html").read_text()
    assert re.findall(r"<script(.*?)>(.*?)</script>", page, re.DOTALL) == [(' type="module" src="/web/page.js"', "")]
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|https?://", page)
    for path in sorted(WEB.glob("*.js")):
        script = path.read_text()
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|Function\(|setAttribute", script
        ), path.name
        assert all(name in ("./vendor/uPlot.esm.js", *own_modules()) for name in imported_modules(script)), path.name


def own_modules() -> list[str]:
    return [f"./{path.name}" for path in WEB.glob("*.js")]


def imported_modules(script: str) -> list[str]:
    return re.findall(r"""^import .*?["'](.*?)["'];$|\bimport\(""", script, re.MULTILINE)
