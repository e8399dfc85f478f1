"""Tables: a caption, headings with a scope, figures to the right; wide ones scroll inside themselves."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from local.report.figures import MonthFigures
from local.report.markup import Content, Markup, tag
from shared.domain.money import decimals_of


class Row(NamedTuple):
    """One row: what it is about, and its cells."""

    name: str
    cells: Sequence[str | Markup]
    is_strong: bool = False


def table(caption: str, headings: Sequence[str], rows: Iterable[Row], total: Row | None = None) -> Markup:
    """Return a table. A heading that starts with `>` is of figures, `|` stands over drawings, which repeat a figure."""
    head = tag("thead", tag("tr", [_heading(each) for each in headings]))
    body = tag("tbody", [_row(each, headings) for each in rows])
    foot = tag("tfoot", _row(total._replace(is_strong=True), headings)) if total else Markup()
    # Focusable, so that it can be scrolled without a mouse where it is wider than the screen.
    return tag(
        "div",
        tag("table", tag("caption", caption), head, body, foot),
        class_="wide",
        tabindex=0,
        role="region",
        aria_label=caption,
    )


def _heading(heading: str) -> Markup:
    if heading == "|":
        return tag("td", class_="drawn")
    name = heading.removeprefix(">")
    return tag("th", name, scope="col", **({"class_": "figure"} if heading != name else {}))


def _row(row: Row, headings: Sequence[str]) -> Markup:
    cells = [_cell(cell, heading) for cell, heading in zip(row.cells, headings[1:], strict=True)]
    return tag("tr", tag("th", row.name, scope="row"), cells, **({"class_": "total"} if row.is_strong else {}))


def _cell(cell: Content, heading: str) -> Markup:
    kind = {">": "figure", "|": "drawn"}.get(heading[:1])
    return tag("td", cell, **({"class_": kind} if kind else {}))


def money(month: MonthFigures, amount_minor: int) -> str:
    """Return minor units of the month's currency as people read them: `-1,234.50`. The currency stands in the heading."""
    return amount(month.grain.currency, amount_minor)


def amount(currency: str, amount_minor: int) -> str:
    """Return minor units as major units with all decimals of the currency, in groups of three."""
    decimals = decimals_of(currency)
    whole, part = divmod(abs(amount_minor), 10**decimals)
    sign = "-" if amount_minor < 0 else ""
    return f"{sign}{whole:,}.{part:0{decimals}d}" if decimals else f"{sign}{whole:,}"
