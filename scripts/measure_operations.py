"""Count what a season asks of Google's services, step by step, on the emulators: the measured half of docs/cost.md.

The verbs and the adapters are those that are deployed; the services are `tests/emulators`, which count what the real ones
bill. BigQuery has no part in it: the models run on the embedded warehouse, and the bytes that BigQuery would read are
counted as whole tables, which is more than the columns that it bills.
"""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from local import line
from local.demo.homes import PROVIDERS, new_keys
from local.demo.season import accidents
from local.simulator import API_SECRETS, Api, ApiServer, Plan, Season
from shared.adapters.embedded.warehouse import DuckDbWarehouse
from shared.bi import inputs
from shared.domain.times import ALL_TIME, Window
from shared.pipeline import derive, rebuild_bi, reconcile, seal
from shared.ports.warehouse import Columns, Files, Parameters, Row
from shared.runtime import logs, wiring
from shared.runtime.google import GoogleParts
from shared.runtime.ids import new_delivery_id
from shared.runtime.settings import Settings
from tests.emulators.project import Emulators, Project
from tests.emulators.storage import Buckets

UNITS = {
    ("Cloud Storage", "objects.insert"): "storage_class_a",
    ("Cloud Storage", "objects.list"): "storage_class_a",
    ("Cloud Storage", "objects.patch"): "storage_class_a",
    ("Cloud Storage", "buckets.get"): "storage_class_b",
    ("Cloud Storage", "objects.get"): "storage_class_b",
    ("Cloud Storage", "objects.get_media"): "storage_class_b",
    ("Firestore, billed", "document_reads"): "firestore_reads",
    ("Firestore, billed", "document_writes"): "firestore_writes",
    ("Firestore, billed", "document_deletes"): "firestore_deletes",
}
"""What is billed by the operation. Firestore's own calls, and those of Pub/Sub and Secret Manager, are not."""

_BY_ARRIVAL = ("inbox", "stragglers", "undeliverables", "quality")
"""Jobs that look at when deliveries came, which is now; the others look at the days of the season."""
_UNBILLED = {"Pub/Sub", "Firestore", "Secret Manager"}
_TABLE = re.compile(r"\b(?:staging|control|mart|viz|certificates)\.\w+")


@dataclass(frozen=True, slots=True)
class Scale:
    """Which season is lived: so many sales from the first of January 2026 on."""

    sales: int = 600
    seed: int = 7
    last_day: date = date(2026, 1, 10)


@dataclass(slots=True)
class Operations:
    """What a season asked for: operations by step, bytes that are kept, and what they are to be divided by."""

    sales: int
    seed: int
    tickets: int = 0
    webhooks: int = 0
    """Accepted webhook deliveries."""
    fetches: int = 0
    """Answers of providers' APIs that were kept as deliveries."""
    rejected: int = 0
    steps: dict[str, dict[str, int]] = field(default_factory=dict)
    raw_bytes: int = 0
    ledger_bytes: int = 0
    warehouse_bytes: int = 0
    """Of the tables as they stand after one build."""
    certificates: int = 0
    """Certificates of completeness, one a day and listing, however few deliveries the day had; a rebuild reads all."""
    seals: int = 0
    """Seals that were made of the season's hours."""
    seal_bytes: int = 0
    """Of the seals and their segments."""
    scanned_bytes: int = 0
    """Of one build: every table that each statement names, whole."""

    def document(self) -> dict[str, Any]:
        """Return this as JSON has it."""
        return asdict(self)


class CountingWarehouse(DuckDbWarehouse):
    """The embedded warehouse, counting the bytes of the tables that each statement names."""

    def __init__(self, path: Path, buckets: Buckets) -> None:
        """Open the file; what lies in buckets is copied beside it."""
        super().__init__(path)
        self._folder = path.parent
        self._buckets = buckets
        self.table_bytes: Counter[str] = Counter()
        self.scanned: Counter[str] = Counter()
        """How often each table was read."""

    def load(self, table: str, columns: Columns, rows: Path, *, job_id: str, replace: bool) -> int:
        """Load, and remember how large the rows are."""
        self.table_bytes[table] = rows.stat().st_size
        return super().load(table, columns, rows, job_id=job_id, replace=replace)

    def execute(self, sql: str, parameters: Parameters, *, job_id: str) -> None:
        """Run a statement, and count what it reads."""
        self.scanned.update(set(_TABLE.findall(sql)))
        super().execute(sql, parameters, job_id=job_id)

    def execute_over(self, sql: str, files: Files, *, job_id: str) -> None:
        """Run a statement over files, and count what they hold; the table that takes it in is weighed as derived ones are."""
        self.scanned.update(set(_TABLE.findall(sql)))
        copies = [self._copied(address) for address in files.addresses]
        self.table_bytes[files.table] = sum(copy.stat().st_size for copy in copies)
        self.table_bytes.pop(inputs.DELIVERIES.name, None)
        super().execute_over(sql, replace(files, addresses=[str(copy) for copy in copies]), job_id=job_id)

    def _copied(self, address: str) -> Path:
        bucket, _, name = address.removeprefix("gs://").partition("/")
        copy = self._folder / name
        copy.write_bytes(self._buckets.get(bucket, name).body)
        return copy

    def query(self, sql: str, parameters: Parameters) -> Iterator[Row]:
        """Run a query, and count what it reads."""
        self.scanned.update(set(_TABLE.findall(sql)))
        return super().query(sql, parameters)

    def weigh(self) -> None:
        """Take the size of every derived table, as text."""
        for table in self.scanned.keys() - self.table_bytes.keys():
            rows = super().query(f"SELECT * FROM {table}", {})  # noqa: S608  a table that our own statements name
            self.table_bytes[table] = sum(len(str(cell)) for row in rows for cell in row.values())

    def scanned_bytes(self) -> int:
        """Return the bytes of all reads."""
        return sum(count * self.table_bytes[table] for table, count in self.scanned.items())


def measure(scale: Scale) -> Operations:
    """Live a season over the emulators and return what it asked for."""
    logs.configure(
        level="critical", as_json=False
    )  # months whose differences are open are refused here, as they should be
    season, keys = Season.generate(scale.seed, scale.sales, last_day=scale.last_day), new_keys()
    plan = Plan(season, accidents(scale.seed))
    operations = Operations(scale.sales, scale.seed, tickets=len(season.company.tickets))
    with (
        Emulators.running() as emulators,
        ApiServer(Api(season.company, undelivered=plan.undelivered())) as apis,
        TemporaryDirectory(prefix="asiento-cost-") as folder,
    ):
        project = Project("asiento-cost", emulators)
        project.make({f"{name}-webhook": key for name, key in keys.items()} | _api_secrets())
        addresses = {f"ASIENTO_API_URL_{name.upper()}": apis.base_url(name) for name in PROVIDERS}
        parts = GoogleParts(Settings.from_environment(project.settings() | addresses))
        try:
            with _counted("receive", operations, emulators):
                for _ in line.receive_all(parts, plan.sends(), keys):
                    pass
            days = Window.of_days(season.first_day, max(day for day, _ in season.books.earned))
            _Season(operations, emulators, parts, days).live(Path(folder))
        finally:
            parts.close()
        operations.rejected = sum(plan.counts[kind] for kind in ("forged", "corrupted", "oversized"))
        _weigh(operations, emulators, project)
    return operations


@dataclass(slots=True)
class _Season:
    """A season after its webhooks came in: what the other doors make of it."""

    operations: Operations
    emulators: Emulators
    parts: GoogleParts
    days: Window
    derived: set[str] = field(default_factory=set)

    def live(self, folder: Path) -> None:
        self._derive()
        with wiring.reconciling(self.parts) as world:
            self._job(world, "transactions", self.days)
            while self.parts.ledger.outbox_depth():
                self._job(world, "fetches", ALL_TIME)
                if not self._derive():
                    break
            soon = line.now() + timedelta(hours=1)
            for job in reconcile.JOBS:
                if job.name not in ("transactions", "fetches"):
                    end = soon if job.name in _BY_ARRIVAL else self.days.end
                    self._job(world, job.name, Window(self.days.start, end))
        self._seal()
        self._rebuild(folder)

    def _derive(self) -> int:
        """Derive every delivery alone, as it is pushed; return how many there were."""
        world = wiring.deriving(self.parts)
        waiting = [name for name in self.parts.raw.names(ALL_TIME) if name not in self.derived]
        with _counted("derive", self.operations, self.emulators):
            for name in waiting:
                derive.derive([name], world, line.now())
        self.derived.update(waiting)
        self.operations.webhooks = sum("/webhook/" in name for name in self.derived)
        self.operations.fetches = len(self.derived) - self.operations.webhooks
        return len(waiting)

    def _job(self, world: reconcile.Reconciling, job: str, window: Window) -> None:
        with _counted(job, self.operations, self.emulators):
            runs = reconcile.reconcile(job, world, window, line.now() + timedelta(minutes=30))
        failures = [run.error for run in runs if run.has_failed]
        if failures:
            raise RuntimeError(f"{job} failed, so its count is none: {failures[0]}")

    def _seal(self) -> None:
        """Seal as if all that came were closed by now."""
        with _counted("seal", self.operations, self.emulators):
            self.operations.seals = len(seal.seal(wiring.sealing(self.parts), line.now() + timedelta(hours=2)))

    def _rebuild(self, folder: Path) -> None:
        warehouse = CountingWarehouse(folder / "warehouse.duckdb", self.emulators.storage.buckets)
        parts, now = self.parts, line.now()
        world = rebuild_bi.Rebuilding(parts.raw, parts.ledger, parts.casebook, warehouse, "cost", parts.seals)
        with _counted("rebuild_bi", self.operations, self.emulators):
            rebuild_bi.rebuild(world, build_id=new_delivery_id(now), as_of=now)
        self.operations.certificates = sum(1 for _ in parts.casebook.completeness())
        warehouse.weigh()
        self.operations.warehouse_bytes = warehouse.table_bytes.total()
        self.operations.scanned_bytes = warehouse.scanned_bytes()
        warehouse.close()


@contextmanager
def _counted(step: str, operations: Operations, emulators: Emulators) -> Iterator[None]:
    """Add what is billed during the block to a step."""
    before = emulators.operations()
    yield
    billed = Counter(operations.steps.get(step, {}))
    for (service, operation), count in (emulators.operations() - before).items():
        if service not in _UNBILLED:
            billed[UNITS[service, operation]] += count
    operations.steps[step] = dict(sorted(billed.items()))


def _api_secrets() -> dict[str, str]:
    return {f"{name}-api": value for name, value in API_SECRETS.items()}


def _weigh(operations: Operations, emulators: Emulators, project: Project) -> None:
    """Take the size of what is kept; Firestore's indexes are not in it."""
    kept = emulators.storage.buckets.objects[project.raw_bucket].values()
    operations.raw_bytes = sum(len(each.body) + len(str(each.resource["metadata"])) for each in kept)
    sealed = emulators.storage.buckets.objects[project.seal_bucket].values()
    operations.seal_bytes = sum(len(each.body) for each in sealed)
    versions = emulators.firestore._data.documents.values()  # noqa: SLF001  what it holds is not part of the protocol
    latest = [history[-1].document for history in versions]
    operations.ledger_bytes = sum(document.ByteSize() for document in latest if document is not None)
