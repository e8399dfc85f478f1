"""Asiento's embedded stores after kill -9: a real process ends itself in the middle of a verb, and another goes on."""

import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from local.simulator import Chaos, Plan
from shared.adapters.embedded.casebook import SqliteCasebook
from shared.adapters.embedded.ledger_store import SqliteLedgerStore
from shared.adapters.embedded.raw_store import SqliteRawStore
from shared.adapters.embedded.warehouse import DuckDbWarehouse
from shared.domain.deliveries import Channel, Delivery
from shared.domain.times import ALL_TIME
from shared.pipeline.derive import Deriving, derive
from shared.pipeline.rebuild_bi import Rebuilding, build_hash, rebuild
from shared.pipeline.state_hash import state_hash
from tests.simulation.killing import DYING, PROLOGUE, run_killed
from tests.simulation.town import WEBHOOK_SECRETS, Town
from tests.simulation.world import World, postings_of

NOW = datetime(2026, 4, 1, 12, tzinfo=UTC)
BATCH = 10
KILLED_AT = (25, 70)
"""Calls of the warehouse at which a rebuild is killed: while it writes models, and while it checks them."""

DERIVING = (
    PROLOGUE
    + """
    from shared.domain.times import ALL_TIME
    from shared.adapters.embedded import ledger_store
    from shared.adapters.embedded.raw_store import SqliteRawStore
    from shared.pipeline.derive import Deriving, derive
    from shared.providers.toolkit import registry

    # Die between two of the five writes of one transaction: entities, facts, marks, verdicts, outbox.
    class Dying:
        def __init__(self, connection):
            self._connection = connection

        def executemany(self, sql, rows):
            one_more_call()
            return self._connection.executemany(sql, rows)

    write = ledger_store._write
    ledger_store._write = lambda connection, effects: write(Dying(connection), effects)

    raw, ledger = SqliteRawStore(home / "raw.db"), ledger_store.SqliteLedgerStore(home / "ledger.db")
    providers = {name: registry.load(name) for name in ("betterez", "stripe", "mercadopago")}
    names = list(raw.names(ALL_TIME))
    for start in range(0, len(names), 10):
        derive(names[start : start + 10], Deriving(providers, raw, ledger, "killed"), datetime(2026, 4, 1, 12, tzinfo=UTC))
"""
)

REBUILDING = (
    PROLOGUE
    + DYING
    + """
    from shared.adapters.embedded.casebook import SqliteCasebook
    from shared.adapters.embedded.ledger_store import SqliteLedgerStore
    from shared.adapters.embedded.raw_store import SqliteRawStore
    from shared.adapters.embedded.warehouse import DuckDbWarehouse
    from shared.pipeline.rebuild_bi import Rebuilding, rebuild

    parts = Rebuilding(
        SqliteRawStore(home / "raw.db"),
        SqliteLedgerStore(home / "ledger.db"),
        SqliteCasebook(home / "cases.db"),
        Dying(DuckDbWarehouse(home / "warehouse.duckdb")),
        "simulated",
    )
    rebuild(parts, build_id=f"killed-{place}", as_of=datetime(2026, 4, 1, 12, tzinfo=UTC))
    print(calls)
"""
)


def _keep(town: Town, home: Path) -> int:
    """Keep a season's webhooks in a raw store; return how many that is."""
    with closing(SqliteRawStore(home / "raw.db")) as raw:
        deliveries = []
        for number, send in enumerate(Plan(town.season, Chaos(seed=3, duplicate_share=0.1, reorder_window=30)).sends()):
            request = send.request(WEBHOOK_SECRETS, NOW)
            provider = send.emission.provider
            deliveries.append(
                Delivery(
                    f"d{number:06}", provider, Channel.WEBHOOK, NOW, request.target, dict(request.headers), request.body
                )
            )
        raw.create_all(deliveries)
    return len(deliveries)


def _derive_the_rest(town: Town, home: Path) -> tuple[str, int]:
    """Derive what has no outcome; return the state hash and how many had one already."""
    with closing(SqliteRawStore(home / "raw.db")) as raw, closing(SqliteLedgerStore(home / "ledger.db")) as ledger:
        names = {name.rsplit("/", 1)[1]: name for name in raw.names(ALL_TIME)}
        waiting = sorted(ledger.without_verdict(list(names)))
        for start in range(0, len(waiting), BATCH):
            batch = [names[each] for each in waiting[start : start + BATCH]]
            derive(batch, Deriving(town.providers, raw, ledger, "after"), NOW)
        return state_hash(ledger.entities()), len(names) - len(waiting)


@pytest.mark.parametrize("place", [1, 2, 3, 4, 5, 23])
def test_a_derive_that_is_killed_leaves_whole_batches(opened: tuple[Town, ...], tmp_path: Path, place: int) -> None:
    """Asiento holds all of a transaction or none of it after kill -9 between any two of its writes (I7)."""
    town = opened[0]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for home in (whole, killed):
        home.mkdir()
        _keep(town, home)
    expected, _ = _derive_the_rest(town, whole)
    process = run_killed(DERIVING, killed, place)
    assert process.returncode == -signal.SIGKILL, process.stderr
    found, done_before = _derive_the_rest(town, killed)
    assert done_before == (place - 1) // 5 * BATCH
    assert found == expected


@contextmanager
def _rebuilding(home: Path) -> Iterator[Rebuilding]:
    with (
        closing(SqliteRawStore(home / "raw.db")) as raw,
        closing(SqliteLedgerStore(home / "ledger.db")) as ledger,
        closing(SqliteCasebook(home / "cases.db")) as casebook,
        closing(DuckDbWarehouse(home / "warehouse.duckdb")) as warehouse,
    ):
        yield Rebuilding(raw, ledger, casebook, warehouse, "simulated")


def _copied(world: World, home: Path) -> None:
    """Copy a world at rest into embedded stores."""
    home.mkdir()
    with _rebuilding(home) as parts:
        kept = list(world.raw.deliveries(ALL_TIME))
        parts.raw.create_all(kept)
        names = [each.object_name for each in kept]
        derive(names, Deriving(world.deriving.providers, parts.raw, parts.ledger, "copied"), NOW)
        certificates = list(world.casebook.completeness())
        for run in reversed(world.casebook.runs(limit=10_000)):
            parts.casebook.record_run(run, (), [each for each in certificates if each.run_id == run.run_id])


def test_a_rebuild_that_is_killed_leaves_what_was_published(opened: tuple[Town, ...], tmp_path: Path) -> None:
    """Asiento shows the same after kill -9 in the middle of a rebuild, and the next rebuild is as if nothing had been."""
    world = World(opened[0], Random(2))  # noqa: S311  a seed is the point
    world.find_peace(postings_of(opened[0], Chaos()))
    home = tmp_path / "home"
    _copied(world, home)
    with _rebuilding(home) as parts:
        assert state_hash(parts.ledger.entities()) == world.hash
        result = rebuild(parts, build_id="first", as_of=NOW)
        assert result.certified
        assert not result.refused
        shown = build_hash(parts.warehouse, "first")
    published = "first"
    for place in KILLED_AT:
        process = run_killed(REBUILDING, home, place)
        assert process.returncode == -signal.SIGKILL, process.stderr
        with _rebuilding(home) as parts:
            assert build_hash(parts.warehouse, published) == shown, f"killed at call {place}"
            published = f"after-{place}"
            assert rebuild(parts, build_id=published, as_of=NOW).certified == result.certified
            assert build_hash(parts.warehouse, published) == shown
