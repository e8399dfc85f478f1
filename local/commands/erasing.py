"""Erase a person."""

from typing import Annotated

import typer

from local.console import emit_json, out
from local.context import DEFAULT_HOME, AsJson, Home, now, world
from local.line import drain
from shared.domain.errors import SettingsError
from shared.domain.personal import identifier_text
from shared.pipeline.erase import erase as erase_people
from shared.runtime import wiring


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("erase")(erase)


def erase(
    home: Home = DEFAULT_HOME,
    *,
    email: Annotated[list[str] | None, typer.Option("--email", help="An address; may be given more than once.")] = None,
    customer: Annotated[
        list[str] | None, typer.Option("--customer", metavar="PROVIDER:NUMBER", help="A customer number of a provider.")
    ] = None,
    document: Annotated[list[str] | None, typer.Option("--document", help="The number of a document.")] = None,
    phone: Annotated[list[str] | None, typer.Option("--phone", help="A telephone number as it was given.")] = None,
    delivery: Annotated[
        list[str] | None, typer.Option("--delivery", help="Of whom a delivery tells without saying who they are.")
    ] = None,
    by: Annotated[str, typer.Option("--by", metavar="LOGIN", help="Who decides: your login.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, in one line; without names of passengers.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would become unreadable.")] = False,
    as_json: AsJson = False,
) -> None:
    """Erase the keys of a person: what is kept of them becomes unreadable everywhere, for good.

    Give all that is known of the person. Amounts, seals and certificates stay as they are; the signatures of the deliveries
    concerned can no longer be checked. Have the platform erase first, or a later fetch tells of the person again.

    Example: `asiento erase --email ana@example.org --customer betterez:C1042 --by mlopez --reason "request 118"`
    """
    identifiers = _identifiers(
        {"email": email, "number": customer, "document": document, "phone": phone, "delivery": delivery}
    )
    with world(home) as parts:
        erased = erase_people(identifiers, wiring.erasing(parts), now(), by=by, reason=reason, is_rehearsal=dry_run)
        drain(parts)
    if as_json:
        emit_json(
            {
                "keys": erased.keys,
                "deliveries": erased.deliveries,
                "rejected": erased.rejected,
                "decision": erased.decision,
                "dry_run": dry_run,
            }
        )
        return
    would = "would be erased" if dry_run else "erased"
    out.print(
        f"{erased.keys} keys {would}; {erased.deliveries} deliveries cannot be restored any more, "
        f"{erased.rejected} rejected ones forgotten",
        soft_wrap=True,
        markup=False,
    )
    if erased.decision:
        out.print(f"kept as delivery {erased.decision}", soft_wrap=True, markup=False)


def _identifiers(given: dict[str, list[str] | None]) -> list[str]:
    found = [_identifier(kind, value) for kind, values in given.items() for value in values or ()]
    if not found or "" in found:
        raise SettingsError(
            "say whom to erase: --email, --customer, --document, --phone or --delivery, none of them empty"
        )
    return found


def _identifier(kind: str, value: str) -> str:
    if kind != "number":
        return identifier_text(kind, value)
    provider, colon, number = value.partition(":")
    if not (provider and colon and number):
        raise SettingsError("--customer takes a provider and its number, for example betterez:C1042")
    return identifier_text(kind, number, provider)
