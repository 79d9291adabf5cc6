"""Look at the page as somebody with a browser does, and note what the browser does meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote, urlsplit

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, Locator, Page, expect

from tests.browser.installation import TOKEN
from tests.worker_process import WorkerProcess

#: How long what a test waits for may take, in seconds: a reading passes three topics, on a busy machine.
PATIENCE = 60.0

expect.set_options(timeout=PATIENCE * 1000)

#: What axe-core's findings may be without failing a test.
_HARMLESS = ("minor", "moderate")


class Visitor:
    """Hold a page of a browser that shares nothing with any other."""

    def __init__(self, context: BrowserContext, page: Page, worker: WorkerProcess) -> None:
        self.context = context
        self.page = page
        self.worker = worker
        self._requests: list[str] = []
        self._troubles: list[str] = []
        page.set_default_timeout(PATIENCE * 1000)
        context.on("request", lambda request: self._requests.append(request.url))
        page.on("pageerror", lambda error: self._troubles.append(f"error {error}"))
        page.on("console", self._hear)
        page.on("dialog", self._dismiss)

    @classmethod
    @asynccontextmanager
    async def at(cls, browser: Browser, worker: WorkerProcess, **options: Any) -> AsyncIterator[Visitor]:
        """Open a worker's page; options are those of a browser's context, such as ``color_scheme``."""
        context = await browser.new_context(**options)
        try:
            visitor = cls(context, await context.new_page(), worker)
            await visitor.page.goto(worker.url("/"))
            yield visitor
        finally:
            await context.close()

    async def sign_in(self, token: str = TOKEN) -> None:
        """Enter a token."""
        await self.page.get_by_label("Token of this worker").fill(token)
        await self.page.get_by_role("button", name="Sign in").click()

    async def enter(self, *parts: str) -> None:
        """Sign in, wait until the page is live, and go to a view."""
        await self.sign_in()
        await self.expect_live()
        if parts:
            await self.go(*parts)

    async def go(self, *parts: str) -> None:
        """Go to a view by its address, as a bookmark does."""
        address = "/".join(quote(part, safe="") for part in parts)
        await self.page.evaluate("address => { location.hash = address; }", f"#/{address}")
        await expect(self.view(parts[0])).to_be_visible()

    def view(self, name: str) -> Locator:
        """Return the place of a view."""
        return self.page.locator(f".view.{name}")

    async def expect_live(self) -> None:
        """Wait until the page says that what it shows is of now."""
        await expect(self.page.locator("#state")).to_have_text("Live")

    async def grave_findings(self) -> list[str]:
        """Return what axe-core finds wrong with the page as it is, as far as that is serious."""
        results = await Axe().run(self.page)
        return [
            f"{found['id']} ({found['impact']}): {found['help']}\n  {node['html']}\n  {node['failureSummary']}"
            for found in results.response["violations"]
            if found["impact"] not in _HARMLESS
            for node in found["nodes"]
        ]

    def check(self) -> None:
        """Fail where something went wrong in the page unseen, or where it asked anyone but the workers."""
        assert not self._troubles, self._troubles
        elsewhere = [url for url in self._requests if urlsplit(url).hostname != "127.0.0.1"]
        assert not elsewhere
        assert self._requests

    def _hear(self, message: Any) -> None:
        if "Content Security Policy" in message.text:
            self._troubles.append(message.text)

    async def _dismiss(self, dialog: Any) -> None:
        self._troubles.append(f"dialog {dialog.message}")
        await dialog.dismiss()
