"""The weekly report in a real browser: no request, no error, not too wide, light in print."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reports.weekly.render import build_weekly_report
from tests.unit.weekly_fixture import AS_OF, build_release

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ARGUMENTS = [
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium from the system; absent, tests skip with a reason, in CI they fail."""
    path = shutil.which("chromium")
    if path is None:
        reason = "chromium is not installed: apt-get install --no-install-recommends chromium"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module", params=["plain", "hostile", "empty"])
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A built report as a file address."""
    folder: Path = tmp_path_factory.mktemp(request.param)
    release = build_release(
        folder / "everycent.duckdb", is_empty=request.param == "empty", hostile=request.param == "hostile"
    )
    return build_weekly_report(
        release, None, folder, title="Weekly report", as_of=AS_OF, code_version="1.2.3", labels=None
    ).as_uri()


@pytest.mark.parametrize("width", [1000, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_is_quiet_and_fits(browser: Browser, address: str, width: int, scheme: str) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 800},
        color_scheme="dark" if scheme == "dark" else "light",
        offline=True,
    )
    page = context.new_page()
    requests: list[str] = []
    messages: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.on("dialog", lambda dialog: messages.append(dialog.message))
    page.goto(address)
    assert {url for url in requests if not url.startswith("data:")} == {address}
    assert messages == []
    assert page.locator("section").count() >= 8
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.scripts.length") == 0
    context.close()


def test_colours_follow_the_reader_and_print_is_light(browser: Browser, address: str) -> None:
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    page.goto(address)
    colour = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(colour) == "rgb(14, 21, 33)"
    page.emulate_media(media="print")
    assert page.evaluate(colour) == "rgb(255, 255, 255)"
    context.close()


def test_no_text_of_the_chart_is_cut_or_touches_another(browser: Browser, address: str) -> None:
    page = browser.new_page(viewport={"width": 1000, "height": 800})
    page.goto(address)
    has_chart = page.locator("svg.chart").count() > 0
    boxes = page.evaluate(
        """() => [...document.querySelectorAll('svg.chart.wide')].map(svg => {
            const box = element => {
                const b = element.getBoundingClientRect();
                return [b.left, b.top, b.right, b.bottom];
            };
            return [box(svg), [...svg.querySelectorAll('text')].map(box)];
        })"""
    )
    assert len(boxes) == (1 if has_chart else 0)
    for (left, top, right, bottom), texts in boxes:
        assert len(texts) > 8
        for text in texts:
            assert left <= text[0] and text[2] <= right and top <= text[1] and text[3] <= bottom
        for number, first in enumerate(texts):
            for second in texts[number + 1 :]:
                is_beside = first[2] <= second[0] or second[2] <= first[0]
                assert is_beside or first[3] <= second[1] or second[3] <= first[1]
    page.close()
