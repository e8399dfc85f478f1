"""Drilling: from a figure of the report to the bytes behind it, within a bound; past it, the command that does it."""

from collections.abc import Mapping

from local.report.markup import Markup, tag
from shared.domain.errors import TerminalError
from shared.pipeline.trace import Tracing, render, trace_figure

TRACES_MAX = 200
"""How many figures a report follows; each is a few lines, and a few reads of ledger and raw store."""
ITEMS_SHOWN = 2
"""How many of the rows behind a figure are followed to their bytes."""


class Drill:
    """Follows figures while there are traces left."""

    def __init__(self, world: Tracing, traces_max: int = TRACES_MAX) -> None:
        """Take what tracing needs and the bound."""
        self._world = world
        self._left = traces_max

    def into(self, says: str, view: str, figure: str, key: Mapping[str, str]) -> Markup:
        """Return a section to unfold: the way from one cell to the bytes, its sum checked and its signature verified again."""
        command = " ".join(("asiento trace", view, figure, *(f"{name}={value}" for name, value in key.items())))
        if not self._left:
            return _unfold(says, tag("p", "Traced by ", tag("code", command)))
        self._left -= 1
        try:
            lines = render(trace_figure(self._world, view, key, figure, shown_max=ITEMS_SHOWN))
        except TerminalError as broken:
            # The page is about what is published: that the ledger has moved on since is worth a sentence, not a failure.
            return _unfold(says, tag("p", f"Cannot be traced today: {broken}"))
        return _unfold(says, tag("pre", "\n".join(lines), tabindex=0), tag("p", "All of it: ", tag("code", command)))


def _unfold(says: str, *content: Markup) -> Markup:
    return tag("details", tag("summary", says), *content)
