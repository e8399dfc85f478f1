"""What arrives against what is usual at this hour of the week, and what is not as usual."""

from typing import Annotated, Any

import typer

from local.console import emit_json, table
from local.context import DEFAULT_HOME, Home, now, world
from shared.domain.baseline import Usual
from shared.domain.errors import SettingsError
from shared.domain.findings import ExceptionKind
from shared.domain.quality import Anomaly, Measure, Series, Watch, hour_start
from shared.pipeline.reconciliation.quality import lessons, remembered

_FORMATS = ("table", "json")


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("quality")(quality)


def quality(
    home: Home = DEFAULT_HOME,
    *,
    provider: Annotated[str | None, typer.Option("--provider", help="Only of this provider.")] = None,
    measure: Annotated[
        Measure | None, typer.Option("--measure", help="Only this measure.", show_choices=False, metavar="MEASURE")
    ] = None,
    form: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
) -> None:
    """Show each series against its baseline, up to the last hour that `asiento reconcile quality` measured.

    A series without a figure for what is usual is still being learned: that takes four weeks. Ends with status 1 if anything
    is not as usual, or is open as an exception.
    """
    if form not in _FORMATS:
        raise SettingsError(f"there is no format {form!r}; choose one of {', '.join(_FORMATS)}")
    with world(home) as parts:
        history = remembered(parts.casebook, now())
        watch = Watch(history, lessons(parts.ledger))
        still_open = [each.subject for each in parts.casebook.exceptions(kinds=(ExceptionKind.ANOMALY,))]
    end = max(history.hours, default=-1) + 1
    series = [
        each for each in history.series() if provider in (None, each.provider) and measure in (None, each.measure)
    ]
    compared = {(each, hours): usual for _, each, usual, hours in watch.compared([end])}
    anomalies = [each for each in watch.anomalies([end]) if each.series in series]
    if form == "json":
        emit_json(_document(end, series, compared, anomalies, still_open))
    else:
        _show(end, series, compared, anomalies, still_open)
    if anomalies or still_open:
        raise typer.Exit(1)


_Compared = dict[tuple[Series, int], Usual]


def _show(end: int, series: list[Series], compared: _Compared, anomalies: list[Anomaly], still_open: list[str]) -> None:
    rows = []
    for each in series:
        for hours in each.spans_h:
            usual = compared.get((each, hours))
            figures = ("", "learning", "", "") if usual is None else usual
            told = [a.deviation.value for a in anomalies if a.series == each]
            rows.append((each.provider, each.measure.value, each.detail, hours, *figures, ", ".join(told)))
    until = f"the hours before {hour_start(end):%Y-%m-%d %H:%M} UTC" if end else "nothing was measured yet"
    heads = ("provider", "measure", "detail", ">hours", ">observed", ">usual", ">least", ">most", "told")
    table(f"Quality: {until}", heads, rows)
    if still_open:
        table(f"Open: {len(still_open)}", ("what is not as usual, since when (UTC)",), [(each,) for each in still_open])


def _document(
    end: int, series: list[Series], compared: _Compared, anomalies: list[Anomaly], still_open: list[str]
) -> dict[str, Any]:
    return {
        "until": hour_start(end).isoformat() if end else None,
        "series": [
            {
                **each._asdict(),
                "hours": hours,
                "baseline": compared[each, hours]._asdict() if (each, hours) in compared else None,
            }
            for each in series
            for hours in each.spans_h
        ],
        "anomalies": [
            {**a.series._asdict(), "deviation": a.deviation.value, "hours": a.hours, **a.usual._asdict()}
            for a in anomalies
        ],
        "open": still_open,
    }
