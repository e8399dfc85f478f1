"""Serve the four functions on this machine, and simulate the providers that speak to them."""

import asyncio
import json
import os
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from local.console import emit_json, out, progress, table
from local.context import DEFAULT_HOME, AsJson, Home
from local.dispatcher import Dispatcher
from local.doors import NAMES, serve_functions
from local.inbox_watch import InboxWatch
from local.scheduler import Scheduler
from local.signals import until_stopped
from local.simulator import API_SECRETS, FIRST_DAY, Api, ApiServer, Chaos, Plan, Season, send
from shared.domain.errors import SettingsError
from shared.runtime import wiring
from shared.runtime.settings import Settings
from shared.runtime.system_clock import SystemClock

FIRST_PORT = 8080
API_PORT = 8090


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("serve")(serve)
    app.command("simulate")(simulate)


def serve(
    home: Home = DEFAULT_HOME,
    *,
    port: Annotated[
        int, typer.Option("--port", help="Of receive; derive, reconcile and rebuild_bi follow.")
    ] = FIRST_PORT,
    reconcile_every_s: Annotated[
        int, typer.Option("--reconcile-every-s", min=1, help="Pause between reconciles.")
    ] = 60,
    rebuild_every_s: Annotated[int, typer.Option("--rebuild-every-s", min=1, help="Pause between rebuilds.")] = 300,
) -> None:
    """Run all four functions over HTTP through the functions framework, with bus and scheduler beside them.

    Secrets are files in `<home>/secrets` (betterez-webhook, betterez-api, …) or ASIENTO_SECRET_* variables. Stop it with
    control-C: what is kept stays, and goes on where it stood when it is started again.
    """
    home.mkdir(parents=True, exist_ok=True)
    environ = {"ASIENTO_HOME": str(home.resolve())}
    parts = wiring.embedded(Settings.from_environment({**os.environ, **environ}))
    with serve_functions(NAMES, port, environ) as doors:
        table("Serving", ("function", "where"), [(name, door.url) for name, door in doors.items()])
        out.print(f"post webhooks to {doors['receive'].url}/<provider>; stop with control-C")
        out.print(f"drop files into {home / 'inbox'}/<provider>, and mappings into {home / 'inbox' / 'mappings'}")
        dispatcher = Dispatcher(parts.bus, doors["derive"].url, SystemClock())
        watch = InboxWatch(parts.inbox, doors["reconcile"].url)
        scheduler = Scheduler(
            (
                (doors["reconcile"].url, {"job": "all"}, reconcile_every_s),
                (doors["rebuild_bi"].url, {}, rebuild_every_s),
            )
        )

        try:
            asyncio.run(until_stopped(dispatcher.run(), scheduler.run(), watch.run()))
        finally:
            parts.close()


def simulate(
    home: Home = DEFAULT_HOME,
    *,
    to: Annotated[
        str, typer.Option("--to", help="Where receive answers; loopback only.")
    ] = f"http://127.0.0.1:{FIRST_PORT}",
    sales: Annotated[int, typer.Option("--sales", min=1, help="How many sales the season has.")] = 1_000,
    days: Annotated[int, typer.Option("--days", min=1, help="How many days it has, from 2026-01-01 on.")] = 90,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same season.")] = 7,
    duplicates: Annotated[int, typer.Option("--duplicates", min=0, max=100, help="Percent sent again.")] = 5,
    lost: Annotated[int, typer.Option("--lost", min=0, max=100, help="Percent never sent.")] = 2,
    forged: Annotated[int, typer.Option("--forged", min=0, max=100, help="Percent of forged requests.")] = 1,
    corrupted: Annotated[int, typer.Option("--corrupted", min=0, max=100, help="Percent signed and unreadable.")] = 0,
    reorder: Annotated[int, typer.Option("--reorder", min=0, help="Places an event may be displaced by.")] = 400,
    stay: Annotated[bool, typer.Option("--stay", help="Go on serving the providers' APIs until control-C.")] = False,
    api_port: Annotated[int, typer.Option("--api-port", help="Where the providers' APIs answer.")] = API_PORT,
    as_json: AsJson = False,
) -> None:
    """Play a bus company: post a season's signed webhooks to `asiento serve`, and serve the providers' APIs.

    Signing keys are read from the same secrets folder as the doors read; missing ones are written there first. For
    reconcile to ask the simulated APIs, start serve with ASIENTO_API_URL_BETTEREZ=http://127.0.0.1:8090/betterez (stripe and
    mercadopago likewise).
    """
    keys = _keys(home / "secrets")
    season = Season.generate(seed=seed, sales=sales, last_day=FIRST_DAY + timedelta(days=days - 1))
    chaos = Chaos(
        seed=seed,
        duplicate_share=duplicates / 100,
        loss_share=lost / 100,
        forged_share=forged / 100,
        corrupted_share=corrupted / 100,
        reorder_window=reorder,
    )
    plan = Plan(season, chaos)
    with ExitStack() as stack:
        stack.enter_context(ApiServer(Api(season.company, undelivered=plan.undelivered()), port=api_port))
        with progress("posting", len(plan)) as meter:
            report = send(plan.sends(), to, keys, on_progress=meter.advance)
        answers = {str(status): count for status, count in sorted(report.by_status.items())}
        if as_json:
            emit_json({"planned": dict(plan.counts), "answers": answers, "books": season.books.totals()})
        else:
            table("Planned", ("", ">events"), list(plan.counts.items()))
            table("Answered", ("status", ">requests"), list(answers.items()))
            table("The company's books, centavos", ("figure", ">"), list(season.books.totals().items()))
        if stay:
            out.print(f"the providers' APIs answer on http://127.0.0.1:{api_port}; stop with control-C")
            asyncio.run(until_stopped())
    if report.by_status.get(0):
        raise SettingsError(
            f"{report.by_status[0]:,} requests got no answer from {to}; is `asiento serve` running there?"
        )


def _keys(folder: Path) -> dict[str, str]:
    """Return each provider's signing key from the secrets folder; write a simulation's own where there is none."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    keys = {}
    for provider, credentials in API_SECRETS.items():
        for name, value in (
            (f"{provider}-webhook", json.dumps(f"simulated-{provider}").strip('"')),
            (f"{provider}-api", credentials),
        ):
            path = folder / name
            if not path.exists():
                path.write_text(value + "\n", encoding="utf-8")
                path.chmod(0o600)
        keys[provider] = (folder / f"{provider}-webhook").read_text(encoding="utf-8").split("\n")[0]
    return keys
