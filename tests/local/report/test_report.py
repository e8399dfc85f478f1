"""The report: what viz shows and nothing else, escaped, whole, and led back to the bytes."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Self

import pytest
from typer.testing import CliRunner

from local.cli import app
from local.report.drawing import step_bar, waterfall
from local.report.drill import Drill
from local.report.figures import Account, Movement, shown_months
from local.report.markup import tag
from local.report.page import report_page
from local.report.tables import amount
from shared.bi.certification import Grain
from shared.domain.errors import SettingsError
from tests.bi.small_season import AS_OF, A, B, SmallSeason, SmallWorld

VOID = {"meta"}


class Reader(HTMLParser):
    """Reads the page as a parser does: its tables by caption, and whether every element that is opened is closed."""

    def __init__(self, page: str) -> None:
        """Read it."""
        super().__init__()
        self.open: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self._caption = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element."""
        assert not {name for name, _ in attrs if name.startswith("on") or name in {"style", "src"}}, (tag, attrs)
        if tag in VOID:
            return
        self.open.append(tag)
        if tag == "tr":
            self.tables[self._caption].append([])
        elif tag in {"td", "th"}:
            self.tables[self._caption][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        """Close it."""
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Nothing is in it."""

    def handle_data(self, data: str) -> None:
        """Take text in."""
        if self.open and self.open[-1] == "caption":
            # One caption stands over a table in each month: the last one is kept.
            self._caption = data
            self.tables[data] = []
        elif self.open and self.open[-1] in {"td", "th"}:
            self.tables[self._caption][-1][-1] += data


def test_shows_the_figures_worked_out_by_hand(page: str) -> None:
    """Asiento's report shows for each month what a person works out: revenue, what was paid, what went back."""
    assert Reader(page).open == []
    overview = Reader(page[: page.index(f"{B}, ARS</h2>")]).tables["Revenue and cash by month, ARS"]
    assert [[cell for cell in row if cell] for row in overview[1:]] == [
        ["2026-01", "1", "12,345.67", "25,345.67", "11,700.00", "13,645.67"],
        ["2026-02", "1", "7,000.00", "7,000.00", "0.00", "7,000.00"],
    ]


def test_shows_how_unearned_fares_moved(page: str) -> None:
    """Asiento's report leads from what stood to what stands, movement by movement, and the sum is the closing."""
    first_month = page[: page.index("2026-02</h3>")]
    rows = Reader(first_month).tables["How unearned fares moved, ARS"][1:]
    told = {row[0]: int(row[1].replace(",", "").replace(".", "")) for row in rows}
    assert told == {
        "stood as the month began": 0,
        "tickets sold": 2_534_567,
        "given back for cash": -1_300_000,
        "travelled": -1_234_567,
        "stood as it ended": 0,
    }
    *moved, closing = told.values()
    assert sum(moved) == closing


def test_shows_no_month_that_is_not_certified(tmp_path: Path) -> None:
    """Asiento's report leaves out a month that is refused, and shows the others."""
    world = SmallWorld(tmp_path)
    season = SmallSeason()
    season.platform("seats", "seatmap.repainted", "2026-02-10 10:00", {"accountId": A})
    world.keep_and_derive(season.deliveries)
    world.rebuild("build-1")
    months = shown_months(world.warehouse)
    assert [each.grain for each in months] == [
        Grain("2026-01", "ARS", A),
        Grain("2026-01", "ARS", B),
        Grain("2026-02", "ARS", B),
    ]
    page = report_page(months, [], Drill(world.tracing), AS_OF)
    of_a, _, of_b = page.partition(f"{B}, ARS</h2>")
    assert "2026-02</h3>" not in of_a
    assert "2026-02</h3>" in of_b
    world.close()


def test_reports_nothing_where_nothing_is_certified(tmp_path: Path) -> None:
    """Asiento writes no empty report: it says that nothing is certified and what tells why."""
    world = SmallWorld(tmp_path)
    with pytest.raises(SettingsError, match="no month is certified, so there is nothing to report; `asiento certify`"):
        shown_months(world.warehouse)
    world.close()


def test_is_one_file_that_names_no_address(page: str) -> None:
    """Asiento's report refers to nothing outside itself, runs no script, and says so in its policy."""
    assert not re.search(r"""(?:src|href|action|data)=["'](?!#)""", page)
    assert not re.search(r"<(?:script|link|iframe|object|img|form|base)\b|@import|url\(|//\w", page)
    assert "default-src &#x27;none&#x27;" in page


def test_escapes_whatever_the_ledger_holds(world: SmallWorld) -> None:
    """Asiento's report shows a route with a name made of markup as text."""
    (first, *others) = shown_months(world.warehouse)
    evil = '"><script>alert(1)</script>&amp;'
    first.coverage = [replace(first.coverage[0], route_id=evil)]
    page = report_page([first, *others], [], Drill(world.tracing, traces_max=0), AS_OF)
    assert "<script" not in page
    assert "&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;" in page
    assert Reader(page).tables["Coverage by route, ARS"]


def test_leads_from_figures_to_bytes(page: str) -> None:
    """Asiento's report holds the way from a figure to the bytes: entity, event, object, digest and signature."""
    assert "viz.account_movement.amount_minor = ARS -25345.67" in page
    assert page.count("signature verified again") > 10
    assert "Passenger" not in page


def test_says_by_which_command_the_rest_is_traced(world: SmallWorld) -> None:
    """Asiento's report follows a bounded number of figures; of the others it says by which command they are traced."""
    months = shown_months(world.warehouse)
    assert "sha256" not in report_page(months, [], Drill(world.tracing, traces_max=0), AS_OF).partition("<body")[2]
    one = report_page(months, [], Drill(world.tracing, traces_max=1), AS_OF)
    assert one.count("<pre") == 1
    assert "Traced by <code>asiento trace viz.account_movement amount_minor month=2026-01 currency=ARS" in one


def test_tells_restatements(page: str) -> None:
    """Asiento's report says which certified months changed, from what to what, and by which event."""
    told = page[page.index('id="restatements"') :]
    assert "fares_earned" in told
    assert '<td class="figure">15,000.00</td><td class="figure">7,000.00</td><td class="figure">-8,000.00</td>' in told
    assert "event-t2-gone" in told


def test_writes_the_page(world: SmallWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento writes the page where it is told to, and says how many months it holds."""
    monkeypatch.setattr("local.commands.bi.world", lambda _home: _Held(world))
    monkeypatch.setattr("local.commands.bi.wiring.tracing", lambda _parts: world.tracing)
    answer = CliRunner().invoke(app, ["report", "--output", str(tmp_path / "report.html")])
    assert answer.exit_code == 0, answer.output
    assert "4 certified months" in answer.output
    assert (tmp_path / "report.html").read_text(encoding="utf-8").startswith('<!doctype html>\n<html lang="en">')


class _Held:
    """The parts that the command asks for, held open by the test."""

    def __init__(self, world: SmallWorld) -> None:
        self.warehouse = world.warehouse

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave it open."""


@pytest.mark.parametrize(
    ("currency", "minor", "reads"),
    [("ARS", 123_456_789, "1,234,567.89"), ("ARS", -5, "-0.05"), ("CLP", -1_500, "-1,500"), ("KWD", 1_005, "1.005")],
)
def test_writes_amounts_exactly(currency: str, minor: int, reads: str) -> None:
    """Asiento writes minor units as people read them, with every decimal of the currency and no other."""
    assert amount(currency, minor) == reads


def test_draws_below_zero() -> None:
    """Asiento draws an account that stood below zero on the same scale as what stands above it."""
    account = Account("clearing:stripe", -100, (Movement("payment_captured", 300),), 200)
    steps = waterfall(account)
    drawn = [step_bar(each, steps) for each in steps]
    assert 'x="0" y="3" width="333"' in drawn[0]
    assert 'x="0" y="3" width="1000"' in drawn[1]
    assert 'x="333" y="3" width="667"' in drawn[2]


def test_escapes_text_and_attributes() -> None:
    """Asiento escapes text and attributes of every element that it writes."""
    assert tag("p", "a < b & c", title='"x"') == '<p title="&quot;x&quot;">a &lt; b &amp; c</p>'
    assert tag("p", tag("b", "<i>")) == "<p><b>&lt;i&gt;</b></p>"
