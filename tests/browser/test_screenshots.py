"""Take the pictures of README: a simulated week of a ward. Only `make screenshots` runs this."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.browser.installation import TOKEN, Installation
from tests.browser.visitor import Visitor
from tests.browser.ward import reading, without_known_unit
from tests.pipeline import eventually
from tests.worker_process import WorkerProcess, WorkerSettings

IMAGES = Path(__file__).parents[2] / "docs" / "images"
SIZE = {"width": 1200, "height": 860}


@pytest.fixture
def ward(settings: WorkerSettings) -> Iterator[Installation]:
    """Give a worker that goes on simulating the patients of a ward."""
    installation = Installation(settings)
    environment = {
        "BP_FAUST_WEB_TOKEN": TOKEN,
        "BP_FAUST_POLICY": "aha-2017",
        "BP_FAUST_SIMULATION_SCENARIO": "ward-crisis",
        "BP_FAUST_SIMULATION_INTERVAL": "0.2",
    }
    installation.workers.append(WorkerProcess(settings, "worker", environment))
    try:
        installation.first.wait_until_ready()
        yield installation
    finally:
        installation.end()


async def test_pictures(browser: Browser, ward: Installation) -> None:
    week_ago = (datetime.now() - timedelta(days=7)).strftime("%Y-%m-%d")
    history = await asyncio.to_thread(
        ward.settings.faust, "produce", "--scenario", "ward-crisis", "--from", week_ago, "--days", "7"
    )
    assert history.returncode == 0, history.stderr
    await ward.send(without_known_unit(reading("ward-3-17", 150, 95)), b'{"resourceType": "Observation", "status": ')
    # There is always more to come; nearly all is done.
    await eventually(lambda: len(ward.first.get("/refusals/")["refusals"]) >= 2)
    await eventually(lambda: sum(ward.first.get("/overview/")["lag"].values()) < 50)
    gravest = ward.first.get("/alerts/")["alerts"][0]["patient_id"]
    IMAGES.mkdir(exist_ok=True)
    async with Visitor.at(browser, ward.first, color_scheme="light", viewport=SIZE, locale="en-GB") as visitor:
        page = visitor.page
        await visitor.enter("overview")
        await expect(page.locator(".figure").filter(has_text="Patients").locator("strong")).not_to_have_text("–")
        await page.get_by_text("7 d", exact=True).click()
        await expect(page.get_by_text("Hypertensive crisis (").first).to_be_visible()
        await page.screenshot(path=IMAGES / "overview.png")
        await visitor.go("patients", gravest)
        await expect(page.locator(".plot canvas").nth(1)).to_be_visible()
        await page.screenshot(path=IMAGES / "patient.png", full_page=True, clip={"x": 0, "y": 0, **_tall(1100)})
        await visitor.go("refused")
        await page.get_by_label("Reason", exact=True).select_option("unit-unknown")
        await page.get_by_role("region", name="The latest refused records").get_by_role("link").first.click()
        await page.get_by_role("button", name="Mend it").click()
        await page.get_by_role("button", name="Check and send again").click()
        await expect(page.get_by_role("alert")).to_be_visible()
        await page.evaluate("scrollTo(0, 0)")
        await page.screenshot(path=IMAGES / "refused.png", full_page=True)
        visitor.check()


def _tall(height: int) -> dict[str, int]:
    return {"width": SIZE["width"], "height": height}
