"""The page docs/providers.md: what each provider can do, rendered from its declared capabilities.

`python -m shared.providers.toolkit.capability_table` writes the page; with `--check` it writes nothing and fails where
the page is out of date.
"""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from shared.domain.facts import EntityKind
from shared.ports.provider import Capabilities
from shared.providers.toolkit import registry

PAGE = Path(__file__).resolve().parents[3] / "docs" / "providers.md"

_INTRODUCTION = """\
# Providers

What each provider can do, as its `capabilities.py` declares it. This page is generated: change the declaration, then run
`python -m shared.providers.toolkit.capability_table`; a test fails while the two differ.

Each provider has a page that says how its payloads are read: [Betterez](providers/betterez.md),
[Stripe](providers/stripe.md), [Mercado Pago](providers/mercadopago.md), [DummyPay](providers/dummypay.md),
[Operator](providers/operator.md), the company's own staff, and [statements](providers/statement.md), files of any bank. A new
provider is one folder: [new-provider.md](new-provider.md) shows how.
"""

_ROWS: tuple[tuple[str, Callable[[Capabilities], str]], ...] = (
    ("signature", lambda can: can.signature_scheme),
    ("signed content", lambda can: _code(can.signed_content)),
    ("headers kept", lambda can: ", ".join(map(_code, can.signature_headers))),
    ("replay window", lambda can: f"{can.tolerance_s} s, past and future"),
    ("identity of an event", lambda can: can.event_identity),
    ("version of a statement", lambda can: can.version_source),
    ("thin events, fetched", lambda can: "yes" if can.has_thin_events else "no"),
    ("listed by window", lambda can: _kinds(can.listings)),
    ("fetched by id", lambda can: _kinds(can.fetchable)),
    ("told beside entities", lambda can: ", ".join(can.also_tells) or "nothing"),
)


def render() -> str:
    """Return the whole page."""
    providers = [registry.load(name).capabilities for name in registry.names()]
    header = _row("", (can.title for can in providers))
    rule = _row("---", ("---" for _ in providers))
    rows = [_row(title, (cell(can) for can in providers)) for title, cell in _ROWS]
    return "\n".join((_INTRODUCTION, header, rule, *rows, "", *map(_event_types, providers)))


def main(arguments: list[str]) -> int:
    """Write the page, or with `--check` compare it; return the exit status."""
    page = render()
    if "--check" not in arguments:
        PAGE.write_text(page, encoding="utf-8")
        return 0
    if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page:
        return 0
    sys.stderr.write("docs/providers.md is out of date: run python -m shared.providers.toolkit.capability_table\n")
    return 1


def _row(title: str, cells: Iterable[str]) -> str:
    return f"| {' | '.join((title, *cells))} |"


def _code(text: str) -> str:
    return f"`{text}`"


def _kinds(kinds: Iterable[EntityKind]) -> str:
    return ", ".join(kind.value.replace("_", " ") for kind in kinds) or "none"


def _event_types(can: Capabilities) -> str:
    return f"## {can.title}: event types that are read\n\n{', '.join(map(_code, can.event_types))}\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
