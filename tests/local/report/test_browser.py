"""The report in a real browser: it asks nobody for anything, it can be worked by keyboard, and it reads on a phone."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.local.report.browser import Page, opened

CONTRAST = """
(() => {
  const channel = (value) => { value /= 255; return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4; };
  const light = (colour) => {
    const [red, green, blue] = colour.match(/[0-9.]+/g).map(Number);
    return 0.2126 * channel(red) + 0.7152 * channel(green) + 0.0722 * channel(blue);
  };
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const colour = getComputedStyle(element).backgroundColor;
      if (!/, 0[)]$/.test(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  return Math.min(...[...document.querySelectorAll("body *")]
    .filter((element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
    .map((element) => [light(getComputedStyle(element).color), light(behind(element))].sort((a, b) => b - a))
    .map(([lighter, darker]) => Math.floor(100 * (lighter + 0.05) / (darker + 0.05))));
})()
"""
"""The lowest contrast of any text with what is behind it, in hundredths, as the accessibility guidelines reckon it."""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A browser of its own."""
    with opened(tmp_path_factory.mktemp("profile")) as opened_page:
        yield opened_page


@pytest.fixture
def shown(browser: Page, page: str, tmp_path: Path) -> Page:
    """The report, opened as a file."""
    path = tmp_path / "report.html"
    path.write_text(page, encoding="utf-8")
    browser.width(1280)
    browser.send("Emulation.setEmulatedMedia", media="", features=[])
    browser.open(path)
    return browser


def test_asks_nobody_for_anything(shown: Page) -> None:
    """Asiento's report loads from its one file, breaks none of its own policy, and says nothing to the console."""
    asked = [each["request"]["url"] for each in shown.told("Network.requestWillBeSent")]
    assert len(asked) == 1
    assert asked[0].startswith("file:///")
    assert shown.told("Log.entryAdded") == []
    assert shown.told("Runtime.exceptionThrown") == []
    assert shown.ask("document.styleSheets[0].cssRules.length") > 20  # the policy has let the sheet in
    assert shown.ask("document.title") == "Asiento: certified months"


def test_lets_no_script_and_no_address_in(shown: Page) -> None:
    """Asiento's report refuses scripts and addresses, should anybody ever get one into it."""
    shown.ask(
        "document.body.insertAdjacentHTML('beforeend', '<img src=\"https://asiento.invalid/x.png\" onerror=\"broken = 1\">');"
        "const script = document.createElement('script'); script.text = 'broken = 1'; document.body.append(script);"
    )
    assert shown.ask("window.broken === undefined")
    assert shown.wait_for("Network.loadingFailed")["blockedReason"] == "csp"


def test_unfolds_by_keyboard(shown: Page) -> None:
    """Asiento's report can be worked without a mouse: skip to the figures, go to a figure, unfold its way to the bytes."""
    shown.press("Tab")
    assert shown.ask("document.activeElement.textContent") == "Skip to the figures"
    shown.ask("document.querySelector('summary').focus()")
    assert shown.ask("document.querySelector('details').open") is False
    shown.press("Enter", "\r")
    assert shown.ask("document.querySelector('details').open") is True
    assert "signature verified again" in shown.ask("document.querySelector('details pre').innerText")


def test_reads_on_a_phone(shown: Page) -> None:
    """Asiento's report is as wide as the phone that it is read on; only what is wide by nature scrolls inside itself."""
    shown.width(360)
    assert shown.ask("document.documentElement.scrollWidth") <= 360
    waterfall = "[...document.querySelectorAll('.wide')].find((each) => each.querySelector('rect.takes'))"
    assert shown.ask(f"{waterfall}.scrollWidth <= {waterfall}.clientWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_can_be_read_by_weak_eyes(scheme: str, shown: Page) -> None:
    """Asiento's report has the contrast between text and ground that the guidelines ask for, by day and by night."""
    shown.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    shown.ask("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert shown.ask(CONTRAST) >= 450


def test_tells_a_screen_reader_what_is_what(shown: Page) -> None:
    """Asiento's report has a language, one heading of the first rank, captioned tables, and drawings that repeat figures."""
    assert shown.ask("document.documentElement.lang") == "en"
    assert shown.ask("document.querySelectorAll('h1').length") == 1
    assert shown.ask("[...document.querySelectorAll('table')].every((each) => each.caption && each.tHead)")
    assert shown.ask("[...document.querySelectorAll('tbody th')].every((each) => each.scope === 'row')")
    assert shown.ask(
        "[...document.querySelectorAll('svg')].every((each) => each.getAttribute('aria-hidden') === 'true')"
    )
    headings = shown.ask("[...document.querySelectorAll('h1,h2,h3,h4')].map((each) => Number(each.tagName[1]))")
    assert all(later - earlier <= 1 for earlier, later in pairwise(headings))
    ids = shown.ask("[...document.querySelectorAll('[id]')].map((each) => each.id)")
    assert len(ids) == len(set(ids))
    assert shown.ask("[...document.querySelectorAll('a')].every((each) => document.querySelector(each.hash))")


def test_prints(shown: Page) -> None:
    """Asiento's report prints as figures on paper: without the contents, and with a page for the printer to take."""
    shown.send("Emulation.setEmulatedMedia", media="print")
    assert shown.ask("getComputedStyle(document.querySelector('nav')).display") == "none"
    assert len(shown.send("Page.printToPDF")["data"]) > 10_000


def test_draws_each_bar_where_the_last_one_ended(shown: Page) -> None:
    """Asiento's waterfalls hang together on the screen: each movement's bar begins at the edge where the one before ended."""
    edges = shown.ask(
        """
        [...document.querySelectorAll('table')].filter((each) => each.querySelector('rect.takes')).map((table) =>
          [...table.querySelectorAll('rect')].filter((each) => each.getBoundingClientRect().width > 0).map((each) => {
            const box = each.getBoundingClientRect();
            const [from, to] = [Math.round(box.left), Math.round(box.right)];
            return each.classList.contains('takes') ? [to, from] : [from, to];
          }))
        """
    )
    assert edges
    for bars in edges:
        for (_, ended), (began, _) in pairwise(bars[:-1]):
            assert abs(ended - began) <= 2
