"""The report in a real browser: it opens, answers to mouse and keyboard, and stays inside."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
from tests.report.test_html import record

from deadheat.report.html import campaign_page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.live
playwright = pytest.importorskip("playwright.sync_api")

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    found = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if found is None:
        pytest.skip("NO CHROMIUM HERE: the report was not looked at. Install chromium.")
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=found, headless=True, args=list(_FLAGS))
        yield browser
        browser.close()


class Opened:
    """A page with what it complained about and what it asked the network for."""

    def __init__(self, browser: Any, path: Path, **context: Any) -> None:
        self.page = browser.new_context(**context).new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.html"
    path.write_text(campaign_page(record()), encoding="utf-8")
    return path


def test_hovering_a_call_shows_request_and_answer(browser: Any, report: Path) -> None:
    opened = Opened(browser, report)
    page = opened.page
    assert page.title() == "deadheat campaign on demo"
    culprit = page.locator(".row.culprit")
    tip = culprit.locator("dl.tip")
    assert not tip.is_visible()
    culprit.hover()
    assert tip.is_visible()
    assert "request" in tip.inner_text()
    assert "ses_b" in tip.inner_text()
    bar = culprit.locator("rect.bar").bounding_box()
    assert bar["width"] > 2
    assert page.locator(".matrix .level0").count() == 14
    assert opened.said == []
    assert opened.asked == [report.as_uri()]


def test_the_keyboard_reaches_calls_and_cells(browser: Any, report: Path) -> None:
    page = Opened(browser, report).page
    page.locator(".row").first.focus()
    assert page.locator(".row").first.locator("dl.tip").is_visible()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className").startswith("row")
    page.locator(".cell.level2, .cell.level1").first.focus()
    assert page.locator(".cell:focus .tip").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_it_fits_and_can_be_read(browser: Any, report: Path, scheme: str, width: int) -> None:
    """Nothing is wider than the screen; text and ground differ enough (WCAG AA)."""
    page = Opened(
        browser, report, color_scheme=scheme, viewport={"width": width, "height": 844}
    ).page
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for where in ("body", ".sub", ".card", ".culprit .call", ".cell", ".legend", "figcaption"):
        ratio = page.evaluate(_CONTRAST, where)
        assert ratio >= 4.5, f"{where} in {scheme}: {ratio:.2f}"


_CONTRAST = """
(where) => {
  const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (rgb) => {
    const [r, g, b] = rgb.slice(0, 3).map((v) => {
      v /= 255;
      return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const element = document.querySelector(where);
  let ground = element;
  while (ground) {
    const colour = numbers(getComputedStyle(ground).backgroundColor);
    if (colour.length === 3 || colour[3] > 0) break;
    ground = ground.parentElement;
  }
  const back = light(numbers(getComputedStyle(ground).backgroundColor));
  const fore = light(numbers(getComputedStyle(element).color));
  return (Math.max(back, fore) + 0.05) / (Math.min(back, fore) + 0.05);
}
"""


def test_the_command_can_be_taken(browser: Any, report: Path) -> None:
    page = Opened(browser, report).page
    page.locator("button.copy").first.click()
    page.wait_for_function("document.querySelector('button.copy').textContent !== 'copy'")
    assert page.locator(".command code").first.inner_text() == "deadheat replay found/ghost.json"
