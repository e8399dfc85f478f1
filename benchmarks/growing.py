"""The rows of the jobs that grow with the season: replay, rebuild and reconcile, at each size and largest beside smallest."""

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from benchmarks import projects, rebuild
from benchmarks.bench import Bench
from benchmarks.environments import of_peer
from benchmarks.homes import BATCH
from benchmarks.report import Contender, Row, alone, rounds, row
from benchmarks.samples import Sample, of_child

SQLMESH_SALES_MAX = 100_000
"""The slowest of those that build: beyond this it alone would take as long as the rest of the run."""
DLT_SALES_MAX = 10_000
"""It holds 11 GiB at this size already."""

_BARE = "the same statements in bare DuckDB"
_JOIN = "DuckDB's full outer join"


def replay_rows(bench: Bench) -> Iterator[Row]:
    """Replay: all raw into an empty ledger, and how its cost grows."""
    by_size: dict[int, list[Sample]] = {}
    for sales in bench.scale.sales:
        ours, bare = _replayed(bench, sales)
        by_size[sales] = ours
        size = f"{sales:,} sales, {ours[0].items:,} deliveries"
        yield row("replay", size, ours, "bare SQLite upserts of the same rows", bare, "deliveries")
    yield from _growth("replay", by_size, "deliveries")


def _replayed(bench: Bench, sales: int) -> tuple[list[Sample], list[Sample]]:
    home = bench.homes.raw_at(sales)
    ours, bare = list[Sample](), list[Sample]()
    for _ in range(bench.scale.runs_at(sales)):
        target = bench.fresh()
        ours.append(of_child("benchmarks.homes:replayed", home, target))
        bare.append(of_child("benchmarks.derive:upserted", target, target / "bare.db", ours[-1].items, BATCH))
        bench.homes.give(sales, target)
        shutil.rmtree(target)
    return ours, bare


def _growth(job: str, by_size: Mapping[int, list[Sample]], unit: str) -> Iterator[Row]:
    smallest, largest = min(by_size), max(by_size)
    if smallest != largest:
        pairs = list(zip(by_size[largest], by_size[smallest], strict=False))
        big, small = [each[0] for each in pairs], [each[1] for each in pairs]
        size = f"{largest:,} beside {smallest:,}"
        yield row(f"{job}, growth", size, big, "the same at the smallest size", small, unit)


def rebuild_rows(bench: Bench) -> Iterator[Row]:
    """Rebuild: beside its own SQL, dbt and SQLMesh; loading beside dlt; and the first rebuild of a process."""
    by_size: dict[int, list[Sample]] = {}
    for sales in bench.scale.rebuilt_sales:
        mine, rows = _rebuilt(bench, sales)
        by_size[sales] = mine
        yield from rows
    home = bench.homes.at(min(by_size))
    first = [of_child("benchmarks.rebuild:rebuilt_first", home, bench.fresh()) for _ in range(bench.scale.runs)]
    yield row("rebuild, first of a process", f"{min(by_size):,} sales", first, "a warm process", by_size[min(by_size)])
    yield from _growth("rebuild", by_size, "deliveries")


def _rebuilt(bench: Bench, sales: int) -> tuple[list[Sample], list[Row]]:
    home, built = bench.homes.at(sales), bench.fresh()

    def ours() -> Sample:
        shutil.rmtree(built)
        return of_child("benchmarks.rebuild:rebuilt", home, built)

    others: dict[str, Contender] = {
        _BARE: lambda: of_child("benchmarks.recorded:ran_barely", built),
        **bench.peers({"dbt build": lambda: _dbt(built)}),
        **(bench.peers({"sqlmesh plan": lambda: _sqlmesh(built)}) if sales <= SQLMESH_SALES_MAX else {}),
    }
    mine, seen = rounds(bench.scale.runs_at(sales), ours, others)
    shutil.rmtree(built)
    size = f"{sales:,} sales, {mine[0].items:,} deliveries"
    rows = [row("rebuild and certify", size, mine, label, theirs) for label, theirs in seen.items()]
    loaded = [replace(each, elapsed_ns=each.elapsed_ns - rebuild.loading_ns(each)) for each in mine]
    del seen[_BARE]
    rows += [row("rebuild, loads apart", size, loaded, label, theirs) for label, theirs in seen.items()]
    if bench.scale.has_peers and sales <= DLT_SALES_MAX:
        rows.append(_loaded(bench, home, size, mine[:1]))
    return mine, rows


def _dbt(built: Path) -> Sample:
    database, sources = built / "dbt.duckdb", rebuild.exported(built)
    project = projects.dbt_project(built / "dbt", database, rebuild.values_of(built), os.cpu_count() or 1)
    return of_peer("dbt", "dbt_build", project, database, sources)


def _sqlmesh(built: Path) -> Sample:
    database, sources = built / "planned.duckdb", rebuild.exported(built)
    project = projects.sqlmesh_project(built / "sqlmesh", database, rebuild.values_of(built))
    return of_peer("sqlmesh", "sqlmesh_plan", project, database, sources)


def _loaded(bench: Bench, home: Path, size: str, rebuilt: list[Sample]) -> Row:
    """Return the loading part of one rebuild beside dlt."""
    ours = [Sample(each.items, rebuild.loading_ns(each), each.peak_kib) for each in rebuilt]
    folder = bench.fresh()

    def dlt() -> Sample:
        of_child("benchmarks.homes:bodies_written", home, folder / "bodies.ndjson")
        return of_peer("dlt", "dlt_load", folder / "bodies.ndjson", folder / "dlt.duckdb")

    _, seen = rounds(1, lambda: ours[0], {"dlt": dlt})
    shutil.rmtree(folder)
    return row("load raw and ledger", size, ours, "dlt", seen["dlt"])


def reconcile_rows(bench: Bench) -> Iterator[Row]:
    """Reconcile: the comparison beside DuckDB's join, datacompy and data-diff; then the whole job."""
    comparisons: dict[int, list[Sample]] = {}
    for rows in bench.scale.compared_rows:
        comparisons[rows], told = _compared(bench, rows)
        yield from told
    yield from _growth("reconcile, comparison", comparisons, "rows")
    jobs: dict[int, list[Sample]] = {}
    for sales in bench.scale.sales:
        home = bench.homes.at(sales)
        jobs[sales] = [of_child("benchmarks.reconcile:job_ran", home) for _ in range(bench.scale.runs_at(sales))]
        yield alone("reconcile, job", f"{sales:,} sales, {jobs[sales][0].items:,} tickets", jobs[sales], "tickets")
    yield from _growth("reconcile, job", jobs, "tickets")


def _compared(bench: Bench, rows: int) -> tuple[list[Sample], list[Row]]:
    folder = bench.fresh()
    of_child("benchmarks.reconcile:written", folder, rows)
    sides = [folder / "provider.parquet", folder / "ledger.parquet"]
    tables = folder / "data_diff.duckdb"
    others: dict[str, Contender] = {
        _JOIN: lambda: of_child("benchmarks.reconcile:joined", folder, rows),
        **bench.peers(
            {
                "datacompy on polars": lambda: of_peer("datacompy", "compare", "polars", *sides),
                "datacompy on pandas": lambda: of_peer("datacompy", "compare", "pandas", *sides),
                "data-diff JOINDIFF": lambda: of_peer("datadiff", "data_diff_join", *sides, tables),
            }
        ),
    }
    mine, seen = rounds(bench.scale.runs, lambda: of_child("benchmarks.reconcile:compared", folder, rows), others)
    shutil.rmtree(folder)
    comparing = [each.part("comparing_ns") for each in mine]
    size = f"{rows:,} rows a side, {mine[0].more['differences']:,} differences"
    told = [row("reconcile, comparison", size, comparing, label, theirs) for label, theirs in seen.items()]
    return comparing, [*told, row("reconcile, claims of columns and comparison", size, mine, _JOIN, seen[_JOIN])]
