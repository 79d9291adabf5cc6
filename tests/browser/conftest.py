"""Start the browser, and the running installation that the tests of the page share."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright

from tests.browser.installation import Installation
from tests.browser.visitor import Visitor
from tests.browser.ward import ward
from tests.worker_process import WorkerSettings

#: The executables that will do; Makefile names them too.
_EXECUTABLES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

_ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave the pictures of README alone unless they are asked for."""
    is_left_alone = collection_path.name == "test_screenshots.py" and not config.getoption("--screenshots")
    return True if is_left_alone else None


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Give the browser that is installed; without one the test is skipped, and in CI it fails."""
    executable = next(filter(None, map(shutil.which, _EXECUTABLES)), None)
    if executable is None:
        told = "No browser is installed: install Chromium (`make browser` does, as root on Debian)."
        if os.environ.get("CI"):
            pytest.fail(told)
        pytest.skip(told)
    async with async_playwright() as playwright:
        # It makes a profile of its own for each start.
        browser = await playwright.chromium.launch(executable_path=executable, args=_ARGUMENTS)
        yield browser
        await browser.close()


@pytest.fixture(scope="session")
def installation(
    kafka: str, elasticsearch_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """Give two workers that share the work, with a token, for all tests of the page."""
    directory: Path = tmp_path_factory.mktemp("browser")
    found = Installation(WorkerSettings.unique(kafka, elasticsearch_url, directory))
    try:
        found.start()
        yield found
    finally:
        found.end()


@pytest.fixture(scope="session")
async def patients(installation: Installation) -> None:
    """Have the installation know some patients, and have refused some records."""
    await installation.take(*ward())


@pytest.fixture
async def visitor(browser: Browser, installation: Installation) -> AsyncIterator[Visitor]:
    """Give somebody with a browser of their own, at the first worker's page, not signed in."""
    async with Visitor.at(browser, installation.first) as found:
        yield found
        found.check()
