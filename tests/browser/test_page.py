"""What people do on the page, done in a browser, with a system that runs behind it."""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.browser.installation import TOKEN, Installation
from tests.browser.visitor import Visitor
from tests.browser.ward import SCRIPT, reading, without_known_unit

pytestmark = pytest.mark.usefixtures("patients")


def figure(page: Page, name: str) -> Locator:
    """Return what stands below a heading among the figures at the top of a view."""
    return page.locator(".figure").filter(has=page.locator("dt", has_text=name)).locator("strong")


async def number(page: Page, name: str) -> int:
    """Return such a figure as soon as it is there."""
    found = figure(page, name)
    await expect(found).not_to_have_text("–")
    return int(await found.inner_text())


async def test_one_signs_in_with_the_token_and_out_again(visitor: Visitor) -> None:
    page = visitor.page
    await visitor.sign_in("this is not the token")
    await expect(page.get_by_role("alert")).to_have_text("This is not the token of this worker.")
    await visitor.enter("patients")
    await expect(page.get_by_role("link", name="ann", exact=True)).to_be_visible()
    assert TOKEN not in str(await visitor.context.cookies())
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_label("Token of this worker")).to_be_visible()
    await expect(page.get_by_text("ann", exact=True)).to_have_count(0)
    await page.reload()
    await expect(page.get_by_label("Token of this worker")).to_be_visible()


async def test_a_reading_appears_without_a_reload(visitor: Visitor, installation: Installation) -> None:
    page = visitor.page
    await visitor.enter("overview")
    await page.evaluate("window.isTheSame = true")
    patients = figure(page, "Patients")
    before = await number(page, "Patients")
    await installation.send(reading("eve", 121, 77))
    await expect(patients).to_have_text(str(before + 1))
    await visitor.go("patients", "eve")
    latest = figure(page, "Latest reading (mmHg)")
    await expect(latest).to_have_text("121 / 77")
    await installation.send(reading("eve", 143, 91))
    await expect(latest).to_have_text("143 / 91")
    table = page.get_by_role("region", name="The latest readings")
    await expect(table.get_by_role("row")).to_have_count(3)
    await expect(table.get_by_role("row").nth(1)).to_contain_text("143")
    assert await page.evaluate("window.isTheSame")


async def test_an_alert_is_acknowledged_for_all_to_see(
    visitor: Visitor, browser: Browser, installation: Installation
) -> None:
    page = visitor.page
    await installation.take(reading("fay", 191, 123))
    await visitor.enter("alerts")
    await page.get_by_label("Patient or finding").fill("fay")
    await page.get_by_role("button", name=re.compile("^Acknowledge: .* of fay$")).click()
    await page.get_by_label("Your name").fill("Nurse Joy")
    await page.get_by_label("What is done about it").fill("called the ward")
    await page.get_by_role("button", name="Acknowledge", exact=True).click()
    await expect(page.get_by_text("No alert of this kind.")).to_be_visible()
    await page.reload()
    await visitor.expect_live()
    await page.get_by_label("Patient or finding").fill("fay")
    await expect(page.get_by_text("No alert of this kind.")).to_be_visible()
    await page.get_by_label("Taken care of").select_option(label="Acknowledged")
    await expect(page.get_by_text("Acknowledged by Nurse Joy")).to_be_visible()
    async with Visitor.at(browser, installation.second) as other:
        await other.enter("patients", "fay")
        await expect(other.page.get_by_text("called the ward")).to_be_visible()


async def test_a_script_for_a_name_is_shown_and_does_nothing(visitor: Visitor) -> None:
    page = visitor.page
    await visitor.enter("patients")
    await page.get_by_label("Find a patient by id").fill("script")
    await page.get_by_role("link", name=SCRIPT).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(f"Patient {SCRIPT}")
    await expect(page.locator(".plot canvas").first).to_be_visible()
    await visitor.go("alerts")
    await expect(page.get_by_role("link", name=SCRIPT).first).to_be_visible()
    await visitor.go("overview")
    await visitor.go("refused")
    links = page.get_by_role("region", name="The latest refused records").get_by_role("link")
    await expect(links.first).to_be_visible()
    shown = []
    for place in [await link.get_attribute("href") for link in await links.all()]:
        await visitor.go(*str(place).removeprefix("#/").split("/"))
        shown.append(await page.locator("pre.record").inner_text())
    assert any(SCRIPT in text for text in shown)
    assert await page.locator("main script").count() == 0


async def test_a_refused_record_is_found_mended_and_counts(visitor: Visitor, installation: Installation) -> None:
    page = visitor.page
    await installation.take(without_known_unit(reading("gus", 150, 95)))
    await visitor.enter("refused")
    await page.get_by_label("Reason", exact=True).select_option("unit-unknown")
    record = page.get_by_role("region", name="The latest refused records").get_by_role("link").first
    await record.click()
    await expect(page.locator("pre.record")).to_contain_text('"gus"')
    await expect(page.locator("mark")).to_contain_text("mmH")
    await page.get_by_role("button", name="Mend it").click()
    field = page.get_by_label("The record as it should have been")
    await page.get_by_role("button", name="Check and send again").click()
    await expect(page.get_by_role("alert")).to_have_text("It would be refused again, so nothing was sent.")
    # The place is selected, so that one may just type.
    assert "mmH" in await field.evaluate("field => field.value.slice(field.selectionStart, field.selectionEnd)")
    await field.fill((await field.input_value()).replace('"mmH"', '"mmHg"'))
    await page.get_by_role("button", name="Check and send again").click()
    await expect(page.get_by_text("It can be read now, and was sent again.")).to_be_visible()
    await expect(
        page.locator("dt", has_text="Sent again").locator("xpath=following-sibling::dd[1]")
    ).not_to_contain_text("not since")
    await visitor.go("patients", "gus")
    await expect(figure(page, "Latest reading (mmHg)")).to_have_text("150 / 95")
    await visitor.go("refused")
    row = page.get_by_role("region", name="The latest refused records").get_by_role("row").nth(1)
    await expect(row.locator("td").last).not_to_be_empty()


async def test_json_is_indented_to_the_letter_and_places_are_found(visitor: Visitor) -> None:
    text = '{"a":[],"b c":{"d":[1.50,{"e\\"]":"x,:{}"}],"d2":null},"o":{}}'
    made, places = await visitor.page.evaluate(
        """async text => {
            const {indented, locate} = await import("/web/json_text.js");
            const at = path => { const found = locate(text, path); return found && text.slice(...found); };
            return [indented(text), [at("b c.d[0]"), at("b c.d[1]"), at("b c.nowhere.e"), at("$"), at("a[3]")]];
        }""",
        text,
    )
    assert re.sub(r"\n *", "", made).replace(": ", ":") == text
    assert "1.50" in made.splitlines()[4]
    assert places == [
        "1.50",
        '{"e\\"]":"x,:{}"}',
        '"b c":{"d":[1.50,{"e\\"]":"x,:{}"}],"d2":null}',
        None,
        '"a":[]',
    ]
    # Nobody could read it, and a browser would not come to an end with it.
    assert await visitor.page.evaluate(
        """async () => {
            const {indented, locate} = await import("/web/json_text.js");
            const deep = "[".repeat(200000) + "]".repeat(200000);
            return indented(deep) === deep && locate(deep, "a[0]") === null;
        }"""
    )


async def tab_to(page: Page, name: str) -> None:
    """Press Tab until something is focused that is called so."""
    seen = []
    for _ in range(80):
        await page.keyboard.press("Tab")
        seen.append(
            await page.evaluate(
                "() => { const at = document.activeElement; "
                "return at.ariaLabel || (at.labels && at.labels[0] ? at.labels[0].textContent : at.textContent); }"
            )
        )
        if seen[-1].startswith(name):
            return
    raise AssertionError(f"No way to {name!r} by Tab: {seen}")


async def test_the_keyboard_alone_will_do(visitor: Visitor, installation: Installation) -> None:
    page = visitor.page
    await installation.take(reading("hal", 193, 127))
    await expect(page.get_by_label("Token of this worker")).to_be_focused()
    await page.keyboard.type(TOKEN)
    await page.keyboard.press("Enter")
    await visitor.expect_live()
    await tab_to(page, "Alerts")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1, name="Alerts")).to_be_focused()
    await tab_to(page, "Patient or finding")
    await page.keyboard.type("hal")
    await tab_to(page, "Acknowledge: ")
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("Your name")).to_be_focused()
    await page.keyboard.type("Nurse Joy")
    await page.keyboard.press("Tab")
    await page.keyboard.type("called")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("No alert of this kind.")).to_be_visible()


async def test_what_is_shown_anew_stays_scrolled_and_focused(visitor: Visitor) -> None:
    page = visitor.page
    await visitor.enter("system")
    await page.set_viewport_size({"width": 360, "height": 740})
    summary = page.get_by_text("Settings of this worker")
    await summary.focus()
    frame = page.get_by_role("region", name="Workers")
    await frame.evaluate("frame => { frame.scrollLeft = 40; frame.dataset.old = ''; }")
    await expect(page.locator("[data-old]")).to_have_count(0)
    assert await frame.evaluate("frame => frame.scrollLeft") == 40
    await expect(summary).to_be_focused()


async def test_either_worker_shows_the_patients_of_both_and_says_when_one_is_gone(
    visitor: Visitor, browser: Browser, installation: Installation
) -> None:
    await asyncio.to_thread(installation.share)
    page = visitor.page
    everyone = len(installation.first.get("/patients/")["patients"])
    async with Visitor.at(browser, installation.second) as other:
        for one in (visitor, other):
            await one.enter("overview")
            await expect(figure(one.page, "Patients")).to_have_text(str(everyone))
    installation.second.kill()
    await expect(page.locator("#state")).to_contain_text(
        re.compile(rf"No answer from .*{installation.second.port}|taken over")
    )
    # The other one has taken over.
    await visitor.expect_live()
    await expect(figure(page, "Patients")).to_have_text(str(everyone))
    installation.second.start()
    await asyncio.to_thread(installation.second.wait_until_ready)


async def test_a_restart_of_the_worker_is_survived_without_a_reload(
    visitor: Visitor, installation: Installation
) -> None:
    page = visitor.page
    await visitor.enter("overview")
    await page.evaluate("window.isTheSame = true")
    assert await asyncio.to_thread(installation.first.stop) == 0
    await expect(page.locator("#state")).to_contain_text("the worker does not answer")
    await expect(page.locator("#age")).to_contain_text("ago")
    installation.first.start()
    await visitor.expect_live()
    before = await number(page, "Patients")
    await installation.send(reading("ida", 120, 70))
    await expect(figure(page, "Patients")).to_have_text(str(before + 1))
    assert await page.evaluate("window.isTheSame")
