"""Asiento lives through a season, and nothing of what it writes names a passenger or tells a secret.

What is kept names nobody, the raw store, its sealed segments and the tables of bodies among it: personal values are closed
before they are kept (docs/erasure.md). Only what the door rejected holds whatever somebody posted; all else is scanned.
"""

import logging
from collections.abc import Iterator
from contextlib import closing, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import date
from io import StringIO
from itertools import chain
from pathlib import Path

import pytest
from typer.testing import CliRunner

from local import line
from local.cli import app
from local.demo.homes import PROVIDERS
from local.simulator import API_SECRETS, Api, ApiServer, Chaos, Plan, Season
from shared.adapters.embedded.warehouse import DuckDbWarehouse
from shared.domain.deliveries import Delivery
from shared.domain.times import ALL_TIME, Window
from shared.pipeline.rebuild_bi import rebuild
from shared.pipeline.trace import figures, render, trace_figure
from shared.runtime import logs, wiring
from shared.runtime.embedded import EmbeddedParts
from shared.runtime.ids import new_delivery_id
from shared.runtime.settings import Settings

SEED = 77
KEYS = {provider: f"signing-key-of-{provider}-{SEED:032x}" for provider in PROVIDERS}
NOT_SCANNED = ("rejected.db", "secrets")
"""Files and folders of a home that hold bytes as they were posted, or the secrets themselves."""
LONG = {"demo", "serve", "simulate"}
"""Commands that live through a season of their own, or do not end."""


@dataclass(slots=True)
class Written:
    """Everything that was written, by where."""

    home: Path
    season: Season
    texts: dict[str, str] = field(default_factory=dict)

    @property
    def names(self) -> set[str]:
        """Return what names a person: last names, addresses, customer numbers."""
        company = self.season.company
        people = {*company.people.values(), *(ticket.passenger for ticket in company.tickets.values())}
        found = set(chain.from_iterable((each.last_name, each.email, each.number) for each in people))
        return found - {""}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Live through a disturbed season with everything logged; return what was written."""
    print(f"seed {SEED}")  # noqa: T201  shown with a failure
    home = tmp_path_factory.mktemp("leaks")
    season = Season.generate(SEED, sales=25, first_day=date(2026, 3, 2), last_day=date(2026, 3, 5))
    found = Written(home, season)
    chaos = Chaos(
        seed=SEED, duplicate_share=0.05, loss_share=0.1, forged_share=0.1, corrupted_share=0.15, reorder_window=50
    )
    plan, output, records = Plan(season, chaos), StringIO(), StringIO()
    handler = logging.StreamHandler(records)
    logging.getLogger().addHandler(handler)
    line.secrets_folder(home, KEYS, API_SECRETS)
    with (
        redirect_stdout(output),
        redirect_stderr(output),
        ApiServer(Api(season.company, undelivered=plan.undelivered())) as apis,
        closing(_opened(home, apis)) as parts,
    ):
        logs.configure(level="debug", as_json=True)
        _live_through(parts, plan)
        found.texts |= _warehouse(parts) | _traces(parts)
        logs.configure(level="error", as_json=False)
    logging.getLogger().removeHandler(handler)
    found.texts["log"] = output.getvalue() + records.getvalue()
    found.texts |= _commands(home)
    found.texts |= {str(path.relative_to(home)): _bytes_as_text(path) for path in _files(home)}
    return found


def _opened(home: Path, apis: ApiServer) -> EmbeddedParts:
    api_urls = {provider: apis.base_url(provider) for provider in PROVIDERS}
    return wiring.embedded(Settings(home=home, providers=PROVIDERS, api_urls=api_urls, log_level="debug"))


def _live_through(parts: EmbeddedParts, plan: Plan) -> None:
    for _ in line.receive_all(parts, plan.sends(), KEYS):
        line.drain(parts)
    line.reconcile_until_closed(parts, Window.of_days(date(2026, 3, 1), date(2026, 5, 31)))
    now = line.now()
    rebuild(wiring.rebuilding(parts), build_id=new_delivery_id(now), as_of=now)


def _warehouse(parts: EmbeddedParts) -> dict[str, str]:
    """Return every table and view of the warehouse as text."""
    warehouse = parts.warehouse
    assert isinstance(warehouse, DuckDbWarehouse)
    tables = warehouse._connection.execute("SELECT table_schema, table_name FROM information_schema.tables").fetchall()
    names = [f"{schema}.{name}" for schema, name in tables]
    return {name: "\n".join(map(str, warehouse.query(f"SELECT * FROM {name}", {}))) for name in names}  # noqa: S608  ours


def _traces(parts: EmbeddedParts) -> dict[str, str]:
    """Return one figure of each published view, traced to its bytes."""
    tracing, texts = wiring.tracing(parts), {}
    for view, figure in dict(figures()).items():
        told = f"SELECT * FROM {view} WHERE {figure} IS NOT NULL LIMIT 1"  # noqa: S608  a view of ours
        row = next(iter(parts.warehouse.query(told, {})), None)
        if row is not None:
            key = {name: str(value) for name, value in row.items()}
            traced = trace_figure(tracing, view, _key_of(view, key), figure)
            texts[f"trace {view}.{figure}"] = "\n".join(render(traced)) + repr(traced)
    return texts


def _key_of(view: str, row: dict[str, str]) -> dict[str, str]:
    from shared.pipeline.trace import _find, key_columns  # noqa: PLC0415  what the command line asks a person for

    model, _ = _find(view, next(figure for name, figure in figures() if name == view))
    return {name: row[name] for name in key_columns(model)}


def _commands(home: Path) -> dict[str, str]:
    """Return what every command says that needs nothing but a home, and how those that need more refuse."""
    runner, texts = CliRunner(), {}
    for command in app.registered_commands:
        name = str(command.name)
        for flags in ([], ["--json"]) if name not in LONG else ():
            told = runner.invoke(app, [name, "--home", str(home), *flags])
            texts[" ".join([name, *flags])] = f"{told.output}\n{told.exception!r}"
    return texts


def _files(home: Path) -> Iterator[Path]:
    for path in sorted(home.rglob("*")):
        if path.is_file() and path.relative_to(home).parts[0].split("-")[0] not in NOT_SCANNED:
            yield path


def _bytes_as_text(path: Path) -> str:
    if path.suffix == ".duckdb":
        return ""  # compressed; its tables are read one by one
    return path.read_bytes().decode("utf-8", "replace")


def test_the_season_was_eventful(written: Written) -> None:
    """Asiento's scan looks at a season with passengers, rejections, quarantines, certificates and exceptions."""
    assert len(written.names) > 40
    assert "month refused" in written.texts["log"] or "rebuilt" in written.texts["log"]
    for word in ("delivery rejected", "delivery needs attention", "quarantined"):
        assert word in written.texts["log"], word
    with closing(wiring.embedded(Settings(home=written.home, providers=PROVIDERS, log_level="error"))) as parts:
        came = [parts.protection.restored(delivery) for delivery in parts.raw.deliveries(ALL_TIME)]
    bodies = b"".join(each.body for each in came if isinstance(each, Delivery)).decode("utf-8", "replace")
    assert sum(name in bodies for name in written.names) > 30, "names do flow through"
    assert "~pd1." in written.texts["staging.deliveries"]
    assert "~pd1." in written.texts["raw.db"]
    assert len(written.texts["staging.ticket"]) > 1_000
    assert len(written.texts["outcomes"]) > 300
    assert len(written.texts["ledger.db"]) > 10_000


def test_no_passenger_is_named(written: Written) -> None:
    """Asiento names no passenger in what it keeps: raw store, seals, ledger, bus, casebook, warehouse, logs, answers."""
    leaks = {
        where: sorted(name for name in written.names if name in text)
        for where, text in written.texts.items()
        if any(name in text for name in written.names)
    }
    assert leaks == {}


def test_no_secret_is_told(written: Written) -> None:
    """Asiento tells no secret anywhere: neither signing keys nor credentials of APIs, nor their parts."""
    secrets = {*KEYS.values(), *chain.from_iterable(value.split(":") for value in API_SECRETS.values())}
    long_enough = {secret for secret in secrets if len(secret) > 8}
    assert len(long_enough) >= 5
    leaks = {where: secret for where, text in written.texts.items() for secret in long_enough if secret in text}
    assert leaks == {}
