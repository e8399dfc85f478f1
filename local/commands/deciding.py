"""Decide about what needs a person."""

from typing import Annotated

import typer

from local.console import emit_json, out
from local.context import DEFAULT_HOME, AsJson, Home, now, world
from local.line import drain
from shared.domain.decisions import Choice
from shared.domain.errors import SettingsError
from shared.pipeline.decide import Wish
from shared.pipeline.decide import decide as take_decision
from shared.pipeline.reconciliation.decided import note_decisions
from shared.runtime import wiring


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("decide")(decide)


def decide(
    exception_id: Annotated[str, typer.Argument(metavar="EXCEPTION_ID", help="As listed, or its first digits.")],
    home: Home = DEFAULT_HOME,
    *,
    by: Annotated[str, typer.Option("--by", metavar="LOGIN", help="Who decides: your login.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, in one line; without names of passengers.")],
    accept: Annotated[bool, typer.Option("--accept", help="It is right as it is.")] = False,
    write_off: Annotated[bool, typer.Option("--write-off", help="The company bears what is at risk.")] = False,
    correct: Annotated[
        str | None, typer.Option("--correct", metavar="FIELD=VALUE", help="State a field anew; links above all.")
    ] = None,
    entity: Annotated[
        str, typer.Option("--entity", metavar="KEY", help="To correct not the subject, but what the evidence names.")
    ] = "",
    assign: Annotated[str | None, typer.Option("--assign", metavar="NAME", help="Give it an owner by name.")] = None,
    as_json: AsJson = False,
) -> None:
    """Decide about an exception: accept it, write it off, correct what causes it, or assign it to somebody.

    The decision is signed and kept like everything that comes in, so that a replay decides the same again. What is accepted
    or written off is closed until it shows something else. Money is never corrected here: a provider says it.

    Examples: `asiento decide 3f9c2a --write-off --by mlopez --reason "below the cost of asking"` ·
    `asiento decide 3f9c2a --correct sale=sale:betterez:65f0c2 --entity payment:stripe:ch_1 --by mlopez --reason "typed by hand"`
    """
    choice = _choice(accept=accept, write_off=write_off, correct=correct, assign=assign)
    field, equals, value = (correct or "").partition("=")
    if correct is not None and not (field and equals):
        raise SettingsError("--correct takes a field and its value, for example sale=sale:betterez:65f0c2")
    wish = Wish(exception_id, choice, reason, by, assign or "", field, value, entity)
    with world(home) as parts:
        exception, delivery = take_decision(wish, wiring.deciding(parts), now())
        # In the cloud the bus brings it to derive, and the scheduled job closes what it settles.
        if drain(parts):
            note_decisions(parts.ledger, parts.casebook, now())
        verdict = parts.ledger.verdict(delivery.delivery_id)
    outcome = verdict.outcome.value if verdict else "announced"
    if as_json:
        emit_json({"exception_id": exception.exception_id, "delivery_id": delivery.delivery_id, "outcome": outcome})
        return
    out.print(
        f"{choice.value}: {exception.kind.value} of {exception.subject}, {exception.at_risk or 'no known amount'}",
        markup=False,
    )
    out.print(f"kept as delivery {delivery.delivery_id}: {outcome}", soft_wrap=True, markup=False)


def _choice(*, accept: bool, write_off: bool, correct: str | None, assign: str | None) -> Choice:
    given = [
        choice
        for choice, is_given in (
            (Choice.ACCEPT, accept),
            (Choice.WRITE_OFF, write_off),
            (Choice.CORRECT, correct is not None),
            (Choice.ASSIGN, assign is not None),
        )
        if is_given
    ]
    if len(given) != 1:
        raise SettingsError("decide one thing: --accept, --write-off, --correct FIELD=VALUE or --assign NAME")
    return given[0]
