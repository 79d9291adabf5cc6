"""Nobody is shut out of a view: axe-core finds nothing serious in it, by day, by night and on a phone."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, expect

from tests.browser.installation import Installation
from tests.browser.visitor import Visitor

DESK, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}


async def views(visitor: Visitor) -> AsyncIterator[str]:
    """Go through the page, and yield the name of each thing to look at once it is there."""
    page = visitor.page
    await expect(page.get_by_label("Token of this worker")).to_be_visible()
    yield "sign-in"
    await visitor.enter("overview")
    await expect(page.locator(".figure").filter(has_text="Patients").locator("strong")).not_to_have_text("–")
    yield "overview"
    await visitor.go("patients")
    await expect(page.get_by_role("link", name="ann", exact=True)).to_be_visible()
    yield "patients"
    await visitor.go("patients", "ann")
    await expect(page.locator(".plot canvas").nth(1)).to_be_visible()
    for details in await page.locator("details").all():
        await details.locator("summary").click()
    await page.get_by_label("Show", exact=True).select_option(label="Each day, with its lowest and highest")
    yield "patient"
    await visitor.go("patients", "bob")
    await page.get_by_role("button", name="Acknowledge:").first.click()
    yield "patient with an alert to be acknowledged"
    await visitor.go("alerts")
    await expect(page.get_by_role("button", name="Acknowledge:").first).to_be_visible()
    yield "alerts"
    await visitor.go("refused")
    await page.get_by_label("Reason", exact=True).select_option("unit-unknown")
    record = page.get_by_role("region", name="The latest refused records").get_by_role("link").first
    await expect(record).to_be_visible()
    yield "refused"
    await record.click()
    await expect(page.locator("mark")).to_be_visible()
    yield "refused record"
    await page.get_by_role("button", name="Mend it").click()
    await page.get_by_role("button", name="Check and send again").click()
    await expect(page.get_by_text("It would be refused again")).to_be_visible()
    yield "refused record that is mended"
    await visitor.go("system")
    await expect(page.get_by_text("Settings of this worker")).to_be_visible()
    yield "system"


@pytest.mark.usefixtures("patients")
@pytest.mark.parametrize(
    ("scheme", "size"), [("light", DESK), ("dark", DESK), ("light", PHONE)], ids=["light", "dark", "phone"]
)
async def test_axe_finds_nothing_serious_and_nothing_is_wider_than_the_window(
    browser: Browser, installation: Installation, scheme: str, size: dict[str, int]
) -> None:
    troubles = []
    async with Visitor.at(browser, installation.first, color_scheme=scheme, viewport=size) as visitor:
        async for name in views(visitor):
            troubles += [f"{name}: {finding}" for finding in await visitor.grave_findings()]
            width = await visitor.page.evaluate("document.documentElement.scrollWidth")
            if width > size["width"]:
                troubles.append(f"{name} is {width} pixels wide")
        visitor.check()
    assert not troubles, "\n".join(troubles)
