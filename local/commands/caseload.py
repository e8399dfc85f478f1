"""What needs a person: the list of exceptions, and what they come to."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from local.console import emit_json, err, out, table
from local.context import DEFAULT_HOME, AsJson, FirstDay, Home, LastDay, now, window, world
from local.exporting import csv_text, write_file
from shared.domain.caseload import (
    Area,
    Order,
    Outstanding,
    Selection,
    State,
    areas_of_concern,
    in_order,
    outstanding,
    state_of,
)
from shared.domain.errors import SettingsError
from shared.domain.findings import ExceptionKind, FinanceException, Owner
from shared.domain.times import Window, day_start
from shared.pipeline.automatic_rate import AutomaticRate, automatic_rate
from shared.pipeline.decide import SHORT_ID_LENGTH

UNASSIGNED = "nobody"
_COLUMNS = (
    "exception_id", "state", "kind", "provider", "subject", "owner", "assigned_to", "opened_at", "closed_at", "age_days",
    "currency", "at_risk_minor", "at_risk", "decision", "decided_by", "decided_at", "reason", "is_decided_otherwise",
    "suggested_fix", "evidence",
)  # fmt: skip


class Format(StrEnum):
    """How a list is given."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


Month = Annotated[str | None, typer.Option("--month", metavar="YYYY-MM", help="Only those opened in this month.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("exceptions")(exceptions)
    app.command("concerns")(concerns)


def exceptions(
    home: Home = DEFAULT_HOME,
    *,
    kind: Annotated[ExceptionKind | None, typer.Option("--kind", help="Only of this kind.")] = None,
    provider: Annotated[str | None, typer.Option("--provider", help="Only of this provider.")] = None,
    owner: Annotated[Owner | None, typer.Option("--owner", help="Only those that wait for this team.")] = None,
    assigned: Annotated[
        str | None, typer.Option("--assigned", metavar="NAME", help="Only those assigned so; `nobody` for unassigned.")
    ] = None,
    closed: Annotated[bool, typer.Option("--closed", help="Show closed and decided ones too.")] = False,
    decided: Annotated[bool, typer.Option("--decided", help="Show only those that a person has decided.")] = False,
    older_than: Annotated[
        int | None, typer.Option("--older-than", min=0, metavar="DAYS", help="Only those open for more days than this.")
    ] = None,
    month: Month = None,
    sort: Annotated[Order, typer.Option("--sort", help="By age, or by money at risk in each currency.")] = Order.AGE,
    form: Annotated[Format, typer.Option("--format", help="A table for people; CSV or JSON, whole.")] = Format.TABLE,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Write CSV or JSON there, not to the screen.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List what needs a person: who it waits for, how old it is, the money at risk, and the suggested mend.

    Filters are combined. The id of a row, or its first digits, is what `asiento decide` takes. In CSV and JSON every
    exception is whole: with its evidence, and what was decided about it, by whom and why.

    Example, for a spreadsheet: `asiento exceptions --month 2026-01 --sort risk --format csv --output january.csv`
    """
    form = Format.JSON if as_json else form
    if output is not None and form is Format.TABLE:
        raise SettingsError("a table is for the screen; add --format csv or --format json to write a file")
    selection = Selection(
        states=_states(closed=closed, decided=decided),
        kind=kind,
        provider=provider,
        owner=owner,
        assigned_to="" if assigned == UNASSIGNED else assigned,
        older_than=None if older_than is None else timedelta(days=older_than),
        opened_in=_month(month) if month else None,
    )
    at = now()
    with world(home) as parts:
        is_open = None if closed or decided else True
        known = parts.casebook.exceptions(kinds=[kind] if kind else None, provider=provider, is_open=is_open)
        found = in_order((each for each in known if selection.holds(each, at)), sort)
    if form is Format.TABLE:
        _show(found, at)
        return
    text = _as_csv(found, at) if form is Format.CSV else _as_json(found, at)
    if output is None:
        typer.echo(text, nl=False)
    else:
        write_file(output, text)
        err.print(f"{len(found):,} exceptions in {output}")


def concerns(
    home: Home = DEFAULT_HOME, *, first: FirstDay = None, last: LastDay = None, as_json: AsJson = False
) -> None:
    """Show what the exceptions of a period come to, where they gather, and how many payments needed no person.

    The days are those on which exceptions were opened and payments made; without them, all time. Money is summed by
    currency: opened = closed + accepted + written off + outstanding. XXX stands for what has no known amount.
    """
    span = window(first, last)
    at = now()
    with world(home) as parts:
        found = [each for each in parts.casebook.exceptions(is_open=None) if Selection(opened_in=span).holds(each, at)]
        rate = automatic_rate(parts.ledger, parts.casebook, span, at)
    sums, areas = outstanding(found), areas_of_concern(found)
    if as_json:
        emit_json(_concerns_document(sums, areas, rate))
        return
    headings = ("currency", ">opened", ">minor", ">closed", ">minor", ">accepted", ">minor", ">written off", ">minor",
                ">outstanding", ">minor")  # fmt: skip
    table(
        "Exceptions of the period, minor units",
        headings,
        [(currency, *_figures(each)) for currency, each in sums.items()],
    )
    rows = [(each.kind.value, each.provider, each.currency, each.sum.count, each.sum.amount_minor) for each in areas]
    table("Areas of concern: what is open", ("kind", "provider", "currency", ">open", ">at risk, minor"), rows)
    out.print(
        f"Matched automatically: {rate} of {rate.payments:,} payments "
        f"({rate.by_a_person:,} by a person, {rate.floating:,} floating; {rate.waiting:,} more are waiting)"
    )


def _states(*, closed: bool, decided: bool) -> frozenset[State]:
    if decided:
        return frozenset({State.DECIDED})
    return frozenset(State) if closed else frozenset({State.OPEN})


def _month(text: str) -> Window:
    """Return a month of Buenos Aires days; raise SettingsError saying how months are written."""
    try:
        first = datetime.strptime(text, "%Y-%m").date()  # noqa: DTZ007  a month of the calendar has no zone
    except ValueError:
        raise SettingsError(f"{text!r} is no month; write it as YYYY-MM") from None
    after = (first + timedelta(days=31)).replace(day=1)
    return Window(day_start(first), day_start(after))


def _show(found: Sequence[FinanceException], at: datetime) -> None:
    rows = [
        (
            each.exception_id[:SHORT_ID_LENGTH],
            each.kind.value,
            each.subject,
            each.assigned_to or each.owner.value,
            each.age(at).days,
            each.at_risk or "",
            _standing(each),
            each.suggested_fix,
        )
        for each in found
    ]
    headings = ("id", "kind", "subject", "waits for", ">days", ">at risk", "stands", "suggested mend")
    table(f"Exceptions: {len(found)}", headings, rows)


def _standing(each: FinanceException) -> str:
    """Say how an exception stands, and of a decision who made it and what about."""
    decision = each.decision
    if decision is None or not decision.choice.settles:
        return state_of(each).value
    made = f"{decision.choice.value} by {decision.decided_by} on {decision.decided_at:%Y-%m-%d}"
    if not each.is_decided_otherwise:
        return f"{state_of(each).value}: {made}"
    return f"{state_of(each).value}; {made} was about {decision.at_risk or 'no known amount'} and other evidence"


def _as_csv(found: Sequence[FinanceException], at: datetime) -> str:
    documents = [_document(each, at) for each in found]
    for document in documents:
        document["evidence"] = json.dumps(document["evidence"], ensure_ascii=False)
    return csv_text(_COLUMNS, ([document[column] for column in _COLUMNS] for document in documents))


def _as_json(found: Sequence[FinanceException], at: datetime) -> str:
    return json.dumps([_document(each, at) for each in found], ensure_ascii=False, indent=2) + "\n"


def _document(each: FinanceException, at: datetime) -> dict[str, Any]:
    at_risk, decision = each.at_risk, each.decision
    return {
        "exception_id": each.exception_id,
        "state": state_of(each).value,
        "kind": each.kind.value,
        "provider": each.provider,
        "subject": each.subject,
        "owner": each.owner.value,
        "assigned_to": each.assigned_to,
        "opened_at": each.opened_at.isoformat(),
        "closed_at": each.closed_at.isoformat() if each.closed_at else None,
        "age_days": each.age(at).days,
        "currency": at_risk.currency if at_risk else None,
        "at_risk_minor": at_risk.amount_minor if at_risk else None,
        "at_risk": str(at_risk) if at_risk else None,
        "decision": decision.choice.value if decision else None,
        "decided_by": decision.decided_by if decision else None,
        "decided_at": decision.decided_at.isoformat() if decision else None,
        "reason": decision.reason if decision else None,
        "is_decided_otherwise": each.is_decided_otherwise,
        "suggested_fix": each.suggested_fix,
        "evidence": dict(each.evidence),
    }


def _figures(each: Outstanding) -> tuple[int, ...]:
    parts = (each.opened, each.closed, each.accepted, each.written_off, each.outstanding)
    return tuple(figure for part in parts for figure in (part.count, part.amount_minor))


def _concerns_document(sums: dict[str, Outstanding], areas: list[Area], rate: AutomaticRate) -> dict[str, Any]:
    names = ("opened", "closed", "accepted", "written_off", "outstanding")
    figures = [f"{name}_{part}" for name in names for part in ("count", "minor")]
    return {
        "period": [
            {"currency": currency, **dict(zip(figures, _figures(each), strict=True))} for currency, each in sums.items()
        ],
        "areas": [
            {
                "kind": each.kind.value,
                "provider": each.provider,
                "currency": each.currency,
                "count": each.sum.count,
                "at_risk_minor": each.sum.amount_minor,
            }
            for each in areas
        ],
        "matching": {
            "ppm": rate.ppm,
            "payments": rate.payments,
            "by_itself": rate.by_itself,
            "by_a_person": rate.by_a_person,
            "floating": rate.floating,
            "waiting": rate.waiting,
        },
    }
