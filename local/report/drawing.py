"""Drawings: bars in inline SVG, in whole units from whole amounts. Every drawing stands beside the figures it shows."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from local.report.figures import Account
from local.report.markup import Markup, tag

WIDTH = 1_000
"""Units across a drawing; it is stretched to the width that there is."""
_HEIGHT = 20
_BAR_MIN = 4
"""The narrowest bar: what moved a little is still to be seen."""


class Step(NamedTuple):
    """One row of a waterfall: what it is called, what it adds, and between which sums its bar stands."""

    name: str
    amount_minor: int
    from_minor: int
    to_minor: int

    @property
    def kind(self) -> str:
        """Return how it is drawn: what stands, what is added, what is taken."""
        if self.name in ("opening", "closing"):
            return "stands"
        return "adds" if self.amount_minor >= 0 else "takes"


def waterfall(account: Account) -> list[Step]:
    """Return the rows of a waterfall: the opening, each movement from where the one before ended, and the closing."""
    return list(_steps(account))


def _steps(account: Account) -> Iterator[Step]:
    yield Step("opening", account.opening_minor, 0, account.opening_minor)
    stood = account.opening_minor
    for movement in account.movements:
        yield Step(movement.name, movement.amount_minor, stood, stood + movement.amount_minor)
        stood += movement.amount_minor
    yield Step("closing", account.closing_minor, 0, account.closing_minor)


def step_bar(step: Step, steps: Iterable[Step]) -> Markup:
    """Draw one row of a waterfall on the scale of all its rows."""
    edges = [0, *(edge for each in steps for edge in (each.from_minor, each.to_minor))]
    return _bar(step.from_minor, step.to_minor, min(edges), max(edges), step.kind)


def amount_bar(amount_minor: int, largest_minor: int) -> Markup:
    """Draw an amount from zero on, beside the largest one."""
    return _bar(0, amount_minor, 0, max(largest_minor, amount_minor, 0), "adds")


def _bar(from_minor: int, to_minor: int, lowest: int, highest: int, kind: str) -> Markup:
    span = highest - lowest or 1
    left, right = ((edge - lowest) * WIDTH // span for edge in sorted((from_minor, to_minor)))
    zero = (0 - lowest) * WIDTH // span
    width = max(right - left, _BAR_MIN if from_minor != to_minor else 0)
    return tag(
        "svg",
        tag("line", x1=zero, y1=0, x2=zero, y2=_HEIGHT, class_="zero"),
        tag("rect", x=min(left, WIDTH - width), y=3, width=width, height=_HEIGHT - 6, class_=kind),
        class_="bar",
        viewBox=f"0 0 {WIDTH} {_HEIGHT}",
        preserveAspectRatio="none",
        aria_hidden="true",
        focusable="false",
    )
