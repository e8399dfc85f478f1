"""Asiento measures each job in a process of its own, and says what kept a peer from running."""

import sys
from pathlib import Path

import pytest

from benchmarks import environments, jobs, report
from benchmarks.bench import FULL, QUICK
from benchmarks.environments import of_peer
from benchmarks.report import PAGE_TEXT, Row, joined, latency, measured, page, recorded, rounds, row, write
from benchmarks.samples import Sample, of_child, of_command
from shared.domain.errors import TerminalError

HOLDING = """
from benchmarks.peers.probe import tell
held = bytearray({mib} * 1024 * 1024)
tell(1, 1)
"""


def test_peak_memory_is_of_the_measured_process_alone() -> None:
    """Asiento's figures of memory do not count what the measuring process holds."""
    ours = bytearray(200 * 1024 * 1024)
    small, large = (of_command([sys.executable, "-c", HOLDING.format(mib=mib)]) for mib in (1, 100))
    assert len(ours) // 1024 > small.peak_kib
    assert 95 * 1024 < large.peak_kib - small.peak_kib < 130 * 1024


def test_a_child_tells_its_sample(tmp_path: Path) -> None:
    """Asiento's measures of both sides of a comparison find the differences that were made."""
    of_child("benchmarks.reconcile:written", tmp_path, 2_000)
    compared, joined = (of_child(f"benchmarks.reconcile:{how}", tmp_path, 2_000) for how in ("compared", "joined"))
    assert compared.more["differences"] == joined.more["differences"] == 6
    assert 0 < compared.more["comparing_ns"] < compared.elapsed_ns


def test_a_measure_that_fails_says_its_last_words() -> None:
    """Asiento's benchmarks never take a failed measure for a fast one."""
    with pytest.raises(TerminalError, match="ended with 3: no such thing"):
        of_command([sys.executable, "-c", "import sys; sys.stderr.write('no such thing'); sys.exit(3)"])


def test_a_peer_that_is_not_there_says_so_in_its_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento's table names what could not be measured, and why."""
    monkeypatch.setattr(environments, "ROOT", tmp_path)
    ours, seen = rounds(2, lambda: Sample(1, 10), {"peer": lambda: of_peer("peer", "compare")})
    told = row("job", "size", ours, "peer", seen["peer"])
    assert told.theirs == "not installed: `make bench-peers`"
    assert (told.speed, told.runs) == ("", "2")


def test_speed_is_ours_over_theirs() -> None:
    """Asiento's speed in a row is the median over the runs; where sizes differ, it is by item."""
    ours = [Sample(10, 1_000), Sample(10, 2_000), Sample(10, 4_000)]
    told = row("job", "size", ours, "other", [Sample(0, 4_000)] * 3, "")
    assert (told.speed, told.spread) == ("2.00", "1.00 to 4.00")
    assert row("job", "size", [Sample(100, 1_000)], "the same, smaller", [Sample(10, 100)], "items").speed == "1.00"


def test_a_row_of_latencies_shows_both_and_how_much_shorter_the_worst_of_ours_are() -> None:
    """Asiento shows p50 and p99 of both, and as its speed how many times as short its p99 is; alone, it shows its own."""
    ours = [Sample(1, 1, 2048, {"p50_us": 1_000, "p99_us": p99_us}) for p99_us in (10_000, 8_000, 20_000)]
    theirs = [Sample(1, 1, 1024, {"p50_us": 3_000, "p99_us": 16_000})] * 3
    told = latency("job", "size", ours, "other", theirs)
    assert (told.ours, told.theirs) == ("p50 1.0 ms, p99 10.0 ms", "p50 3.0 ms, p99 16.0 ms")
    assert (told.speed, told.spread) == ("1.60", "0.80 to 2.00")
    assert latency("job", "size", ours)[4:9] == ("", "", "", "", "")


def test_the_page_shows_every_row() -> None:
    """Asiento's page of benchmarks holds the table, the versions and the machine, and cells break no table."""
    text = page({"cold_start": measured([Row("a|b", *("x",) * (len(Row._fields) - 1))], minutes=7)})
    assert "| a/b | x |" in text
    assert "cold start in 7 minutes" in text
    assert "Python 3." in text
    assert all(f"*{job}" in PAGE_TEXT or f"*{job.replace('_', ' ')}*" in PAGE_TEXT for job in jobs.JOBS)


def test_a_job_that_is_measured_anew_leaves_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento keeps the rows of every job: one that runs alone writes its own anew, in the order of the jobs."""
    monkeypatch.setattr(report, "RECORD", tmp_path / "benchmarks.json")
    monkeypatch.setattr(report, "PAGE", tmp_path / "benchmarks.md")
    old, new = (measured([Row(name, *("x",) * (len(Row._fields) - 1))], minutes=1) for name in ("old", "new"))
    write({"derive": old, "receive": old}, jobs.JOBS)
    write({**recorded(), "derive": new}, jobs.JOBS)
    assert list(recorded().items()) == [("receive", old), ("derive", new)]
    assert (tmp_path / "benchmarks.md").read_text() == page(recorded())


def test_a_size_that_is_measured_anew_leaves_the_others() -> None:
    """Asiento keeps the rows of other sizes where one is measured by itself, in order of size."""

    def told(size: str, ours: str) -> Row:
        return Row("replay", size, ours, *("x",) * (len(Row._fields) - 3))

    before = measured([told("10,000 sales", "a"), told("1,000,000 sales", "b")], minutes=3)
    now = measured([told("100,000 sales", "c"), told("1,000,000 sales", "d")], minutes=2)
    both = joined(before, now)
    assert [(each.size, each.ours) for each in both.rows] == [
        ("10,000 sales", "a"),
        ("100,000 sales", "c"),
        ("1,000,000 sales", "d"),
    ]
    assert both.minutes == 5


def test_the_page_is_written_from_the_record() -> None:
    """Asiento's committed page says what its committed record says."""
    assert report.PAGE.read_text(encoding="utf-8") == page(recorded())


def test_a_full_run_reaches_a_million() -> None:
    """Asiento's full run measures what grows from thousands to a million, each size several times but for the largest."""
    assert max(FULL.sales) == max(FULL.rebuilt_sales) == max(FULL.compared_rows) == 1_000_000
    assert [FULL.runs_at(size) for size in FULL.rebuilt_sales] == [3, 3, 3, 1]
    assert not QUICK.has_peers
    assert len(report.HEADINGS) == len(Row._fields)
