"""What one delivery asks of Google's services, held against the table in which each operation gives its reason."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import islice
from pathlib import Path

import pytest

from local import line
from local.demo.homes import new_keys
from local.demo.season import accidents
from local.simulator import Plan, Season, Secrets
from local.simulator.chaos import Kind, Send
from shared.domain.times import ALL_TIME
from shared.pipeline import derive, seal
from shared.pipeline.kept import Kept
from shared.runtime import wiring
from shared.runtime.google import GoogleParts
from shared.runtime.settings import Settings
from tests.emulators.project import Emulators, Project

SEED = 7
COLUMNS = ("sale", "repeat", "pointer", "forged")
Operation = tuple[str, str, str]
"""Step, service and operation."""
Counts = dict[Operation, int]


@dataclass(slots=True)
class Counted:
    """What each kind of delivery asked for, and the largest that was kept or announced beside a body."""

    by_kind: dict[str, Counts] = field(default_factory=dict)
    metadata_bytes: int = 0
    sealed_hours: Counts = field(default_factory=dict)


@pytest.fixture(scope="module")
def page(repository: Path) -> str:
    """Return the page that declares the budget."""
    return (repository / "docs" / "operations.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def counted() -> Iterator[Counted]:
    """Receive and derive one delivery of each kind on the emulators, then seal and read what came."""
    with Emulators.running(with_bigquery=False) as emulators:
        project, keys = Project("budget", emulators), new_keys()
        project.make({f"{name}-webhook": key for name, key in keys.items()})
        parts = GoogleParts(Settings.from_environment(project.settings()))
        try:
            yield _count(parts, emulators, project, keys)
        finally:
            parts.close()


def _count(parts: GoogleParts, emulators: Emulators, project: Project, keys: Secrets) -> Counted:
    plan = Plan(Season.generate(SEED, 5, last_day=date(2026, 1, 3)), accidents(SEED))
    sends = list(plan.sends())
    counted, course = Counted(), _Course(parts, emulators, keys)
    earlier, sale = islice(filter(_sells, sends), 2)
    pointer = next(filter(_points, reversed(sends)))
    forged = next(send for send in sends if send.kind is Kind.FORGED and send.emission.provider == "betterez")
    for first in (earlier, next(filter(_points, sends)), forged):
        course.go(first)  # what an instance asks for once: secrets, and a sweep of what is rejected
    parts.rejected.counts()
    for kind, send in zip(COLUMNS, (sale, sale, pointer, forged), strict=True):
        counted.by_kind[kind] = course.go(send)
    counted.sealed_hours = course.seal_and_read()
    kept = emulators.storage.buckets.objects[project.raw_bucket].values()
    counted.metadata_bytes = max(len(str(each.resource["metadata"])) for each in kept)
    return counted


def _sells(send: Send) -> bool:
    return send.kind is Kind.GENUINE and send.emission.event_type == "transaction.completed"


def _points(send: Send) -> bool:
    return send.kind is Kind.GENUINE and send.emission.provider == "mercadopago"


@dataclass(slots=True)
class _Course:
    """The way of deliveries through receive and derive, one at a time."""

    parts: GoogleParts
    emulators: Emulators
    keys: Secrets
    derived: set[str] = field(default_factory=set)

    def go(self, send: Send) -> Counts:
        """Let one delivery come and be derived; return what was asked for."""
        counts = self._counts("receive", lambda: list(line.receive_all(self.parts, [send], self.keys)))
        names = set(self.parts.raw.names(ALL_TIME)) - self.derived
        world = wiring.deriving(self.parts)
        if names:
            counts |= self._counts("derive", lambda: derive.derive(sorted(names), world, line.now()))
        self.derived |= names
        return counts

    def seal_and_read(self) -> Counts:
        """Seal what came, and read it as a rebuild does."""
        later = line.now() + timedelta(hours=2)
        counts = self._counts("seal", lambda: seal.seal(wiring.sealing(self.parts), later))
        return counts | self._counts("load", lambda: list(Kept(self.parts.raw, self.parts.seals).objects()))

    def _counts(self, step: str, work: Callable[[], object]) -> Counts:
        before = self.emulators.operations()
        work()
        asked = self.emulators.operations() - before
        return {
            (step, service, operation): count
            for (service, operation), count in asked.items()
            if operation != "buckets.get"  # the storage library asks for it when it likes, on a thread of its own
        }


def budget(page: str) -> dict[str, Counts]:
    """Read the table; raises ValueError for an operation without a reason."""
    counts: dict[str, Counts] = {kind: {} for kind in COLUMNS}
    for step, service, operation, *numbers, why in _rows(page):
        if not why:
            raise ValueError(f"{step} asks {service} for {operation} without a reason")
        for kind, number in zip(COLUMNS, numbers, strict=True):
            if int(number):
                counts[kind][step, service, operation] = int(number)
    return counts


def _rows(page: str) -> Iterator[list[str]]:
    table = page[page.index("| step | service | operation |") :].partition("\n\n")[0]
    for row in table.splitlines()[2:]:
        yield [cell.strip().strip("`") for cell in row.strip("|").split("|")]


def test_a_delivery_asks_for_what_the_page_says(counted: Counted, page: str) -> None:
    """Asiento asks for exactly the operations of its budget: one more is a price, and needs its reason first."""
    assert counted.by_kind == budget(page)


def test_what_is_kept_beside_a_body_is_bounded(counted: Counted, page: str) -> None:
    """Asiento keeps no more beside a body than its budget says."""
    bound = re.search(r"at most ([\d,]+) bytes beside each body", page)
    assert bound is not None
    assert counted.metadata_bytes <= int(bound[1].replace(",", ""))


def test_sealing_reads_once_and_loading_reads_segments(counted: Counted) -> None:
    """Asiento reads each object once to seal it, and for a rebuild only seals and segments, with nothing one by one."""
    calls: Mapping[Operation, int] = counted.sealed_hours
    deliveries = calls["seal", "Cloud Storage", "objects.get_media"]
    seals, odd = divmod(calls["seal", "Cloud Storage", "objects.insert"], 2)
    assert (odd, seals > 0, deliveries > 3) == (0, True, True)
    assert {operation for step, _, operation in calls if step == "load"} == {"objects.list", "objects.get_media"}
    assert calls["load", "Cloud Storage", "objects.get_media"] == 2 * seals


def test_a_reason_is_asked_for(page: str) -> None:
    """Asiento refuses a row of the budget that gives no reason."""
    with pytest.raises(ValueError, match="without a reason"):
        budget(page.replace("| the bytes |", "| |"))
