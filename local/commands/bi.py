"""Rebuild the BI layer, look at certificates, and trace a number to its bytes."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from local.console import emit_json, out, progress, show_trace, table
from local.context import DEFAULT_HOME, AsJson, Home, now, world
from local.report.drill import Drill
from local.report.figures import shown_months
from local.report.page import report_page
from shared.bi.certification import Judgement
from shared.domain.errors import SettingsError
from shared.domain.money import Money
from shared.pipeline.rebuild_bi import rebuild as rebuild_layer
from shared.pipeline.restate import kept_restatements, render
from shared.pipeline.trace import SHOWN_MAX, figures, trace_figure
from shared.pipeline.trace_forward import render_change, trace_forward
from shared.ports.warehouse import Warehouse
from shared.runtime import wiring
from shared.runtime.ids import new_delivery_id
from shared.runtime.jobs import rebuild_document
from shared.runtime.parts import Parts


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("rebuild")(rebuild)
    app.command("certify")(certify)
    app.command("restatements")(restatements)
    app.command("trace")(trace)
    app.command("report")(report)


def rebuild(home: Home = DEFAULT_HOME, *, as_json: AsJson = False) -> None:
    """Rebuild the BI layer from nothing, check every closed month, and publish those that agree to the cent.

    Ends with status 1 if a closed month is refused; what was published before stays as it is.
    """
    with world(home) as parts, progress("rebuilding"):
        at = now()
        result = rebuild_layer(wiring.rebuilding(parts), build_id=new_delivery_id(at), as_of=at)
    if as_json:
        emit_json(rebuild_document(result))
    else:
        judged = sorted((*result.certified, *result.refused), key=lambda each: each.grain)
        table(f"Build {result.build_id}", ("month", "currency", "business unit", "state"), map(_row, judged))
        spent = [(step, milliseconds) for step, milliseconds in result.durations_ms.items()]
        table("Steps", ("step", ">ms"), spent)
        if result.shadows:
            table(
                "Other definitions of views, which nobody is shown", ("compared",), [(each,) for each in result.shadows]
            )
    if result.has_failed:
        raise typer.Exit(1)


def certify(
    home: Home = DEFAULT_HOME,
    *,
    month: Annotated[str | None, typer.Option("--month", metavar="YYYY-MM", help="Only this month.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the certificates of the latest build: what each month came to, and why one was refused."""
    with world(home) as parts:
        certificates = _latest_certificates(parts.warehouse)
    shown = [each for each in certificates if month in (None, each["month"])]
    if not shown:
        raise SettingsError(f"there is no certificate{f' of {month}' if month else ''} yet; run `asiento rebuild`")
    if as_json:
        emit_json(
            [{**each, "figures": json.loads(each["figures"]), "checks": json.loads(each["checks"])} for each in shown]
        )
        return
    for each in shown:
        figures_of = json.loads(each["figures"])
        title = f"{each['month']}  {each['currency']}  {each['business_unit']}  {'certified' if each['passed'] else 'REFUSED'}"
        rows = [
            (name, counted[0], Money(each["currency"], counted[1]), counted[2], Money(each["currency"], counted[3]))
            for name, counted in figures_of.items()
        ]
        table(title, ("figure", ">ledger", ">", ">raw bytes", ">"), rows)
        for check, differences in json.loads(each["checks"]).items():
            for difference in differences:
                table("", ("check", "difference"), [(check, difference)])


def restatements(
    home: Home = DEFAULT_HOME,
    *,
    month: Annotated[str | None, typer.Option("--month", metavar="YYYY-MM", help="Only this month.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show which certified months changed: certified X, now Y, and the events that explain the difference.

    Ends with status 1 if a change is not explained to the cent.
    """
    with world(home) as parts:
        found = kept_restatements(parts.warehouse, month)
    if as_json:
        emit_json([each.document() for each in found])
    elif not found:
        out.print("no certified month was restated")
    for restatement in () if as_json else found:
        for line in render(restatement):
            out.print(line, soft_wrap=True, markup=False)
    if not all(each.is_explained for each in found):
        raise typer.Exit(1)


def trace(
    view: Annotated[
        str | None, typer.Argument(help="A view, such as viz.revenue_by_day_route; none lists them.")
    ] = None,
    figure: Annotated[str | None, typer.Argument(help="One of its figures, such as earned_minor.")] = None,
    key: Annotated[
        list[str] | None, typer.Argument(metavar="COLUMN=VALUE...", help="What names the row: every other column.")
    ] = None,
    home: Home = DEFAULT_HOME,
    *,
    delivery: Annotated[
        str | None, typer.Option("--delivery", metavar="ID", help="The other way: what did this delivery change?")
    ] = None,
    shown: Annotated[int, typer.Option("--shown", min=1, help="How many of the rows behind it to follow.")] = SHOWN_MAX,
    as_json: AsJson = False,
) -> None:
    """Follow a published number back to mart rows, entities, facts, deliveries, the stored bytes, and their signature.

    Without a figure: lists what can be traced. Without a row: lists the first rows of the view. With --delivery: what the
    delivery said, which fields stand by it now, and every published number and certificate that it is part of.
    """
    if delivery is not None and view is not None:
        raise SettingsError("name a view to go from a number to its bytes, or --delivery for the other way, not both")
    with world(home) as parts:
        if delivery is not None:
            _show_forward(parts, delivery, as_json=as_json)
        elif view is None or figure is None:
            _list_traceable(view, as_json=as_json)
        elif not key:
            _list_rows(parts.warehouse, view, figure, as_json=as_json)
        else:
            named = dict(_pair(text) for text in key)
            found = trace_figure(wiring.tracing(parts), view, named, figure, shown_max=shown)
            if as_json:
                emit_json(asdict(found))
            else:
                show_trace(found)
            if not found.is_proved:
                raise typer.Exit(1)


def report(
    home: Home = DEFAULT_HOME,
    *,
    output: Annotated[Path, typer.Option("--output", metavar="FILE", help="Where the page goes, such as report.html.")],
) -> None:
    """Write the certified months as one HTML page that needs no server: revenue, cash, movements, coverage, certificates.

    Each figure unfolds into its way to the bytes. Open it in any browser; it asks nobody for anything.
    """
    with world(home) as parts, progress("reading what is published, and tracing it"):
        months = shown_months(parts.warehouse)
        restated = kept_restatements(parts.warehouse)
        page = report_page(months, restated, Drill(wiring.tracing(parts)), now())
    output.write_text(page, encoding="utf-8")
    out.print(
        f"{output}: {len(months)} certified months, {len(page) // 1024:,} KiB; open it in a browser", markup=False
    )


def _show_forward(parts: Parts, delivery_id: str, *, as_json: bool) -> None:
    change = trace_forward(wiring.tracing(parts), delivery_id)
    if as_json:
        emit_json(asdict(change))
    for line in () if as_json else render_change(change):
        out.print(line, soft_wrap=True, markup=False)


def _row(judgement: Judgement) -> tuple[object, ...]:
    differences = judgement.differences
    state = "certified" if judgement.passed else f"{len(differences)} differences: {differences[0].text}"
    return (*judgement.grain, state)


def _latest_certificates(warehouse: Warehouse) -> list[dict[str, Any]]:
    sql = (
        "SELECT * FROM certificates.certificate WHERE build_id = (SELECT MAX(build_id) FROM certificates.certificate) "
        "ORDER BY month, currency, business_unit"
    )
    return list(warehouse.query(sql, {}))


def _list_traceable(view: str | None, *, as_json: bool) -> None:
    found = list(figures(view))
    if not found:
        raise SettingsError(f"there is no view {view}; `asiento trace` alone lists them")
    if as_json:
        emit_json([{"view": name, "figure": column} for name, column in found])
    else:
        table("What can be traced", ("view", "figure"), found)


def _list_rows(warehouse: Warehouse, view: str, figure: str, *, as_json: bool) -> None:
    if (view, figure) not in set(figures()):
        raise SettingsError(f"{view}.{figure} cannot be traced; `asiento trace` alone lists what can")
    rows = list(warehouse.query(f"SELECT * FROM {view} ORDER BY 1, 2, 3 LIMIT 10", {}))  # noqa: S608  a view of ours
    if as_json:
        emit_json(rows)
    elif rows:
        table(f"First rows of {view}; name one as column=value", tuple(rows[0]), [tuple(row.values()) for row in rows])
    else:
        raise SettingsError(f"{view} shows nothing: no month is certified; `asiento certify` says why")


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise SettingsError(f"{text!r} names no column; write column=value, for example business_day=2026-01-05")
    return name, value
