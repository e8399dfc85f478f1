"""The demonstration with a file of real payments: order = sale, row = payment, in file order and shuffled with duplicates."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from local import line
from local.console import out, progress, show_proofs, table
from local.demo.homes import empty_home, new_keys, opened
from local.simulator import Chaos, PaymentsBooks, PaymentsFeed, Plan, Secrets
from shared.domain.errors import SettingsError
from shared.domain.facts import EntityKind
from shared.domain.money import Money
from shared.domain.outcomes import Outcome
from shared.pipeline.state_hash import state_hash
from shared.runtime.embedded import EmbeddedParts

SHUFFLED = Chaos(seed=7, duplicate_share=0.05, is_shuffled=True)


@dataclass(frozen=True, slots=True)
class LedgerTotals:
    """What one run came to, read from the ledger."""

    label: str
    deliveries: int
    duplicates: int
    sales: int
    payments: int
    total_minor: int
    hash: str


@dataclass(frozen=True, slots=True)
class PaymentsStory:
    """The file's own totals, and the ledger's after each run."""

    books: PaymentsBooks
    runs: tuple[LedgerTotals, ...]

    def proofs(self) -> Iterator[tuple[bool, str]]:
        """Yield what must hold, each with whether it does."""
        books = self.books
        for run in self.runs:
            yield (
                (run.sales, run.payments, run.total_minor) == (books.orders, books.payments, books.total_minor),
                f"{run.label}: {run.sales:,} sales, {run.payments:,} payments, {Money('BRL', run.total_minor)}, as in the file",
            )
        hashes = {run.hash for run in self.runs}
        yield (
            len(hashes) == 1,
            f"one state hash, whatever the order: {', '.join(sorted(each[:16] for each in hashes))}…",
        )


def tell(home: Path, payments: Path, *, is_fresh: bool) -> PaymentsStory:
    """Run a file of payments through the line twice; leaves the first run's world in the home folder."""
    if not payments.is_file():
        raise SettingsError(f"there is no file {payments}; give a CSV of payments, plain or gzipped")
    try:
        feed = PaymentsFeed.open(payments)
    except ValueError as unreadable:
        raise SettingsError(str(unreadable)) from None
    empty_home(home, is_fresh=is_fresh)
    keys = new_keys()
    with opened(home, keys) as parts:
        in_order = _run("in file order", feed, Chaos(), parts, keys)
    with TemporaryDirectory(prefix="asiento-shuffled-") as folder, opened(Path(folder), keys) as parts:
        shuffled = _run("shuffled, with duplicates", feed, SHUFFLED, parts, keys)
    return PaymentsStory(feed.books(), (in_order, shuffled))


def _run(label: str, feed: PaymentsFeed, chaos: Chaos, parts: EmbeddedParts, keys: Secrets) -> LedgerTotals:
    plan = Plan(feed, chaos)
    with progress(label, len(plan)) as meter:
        for count in line.receive_all(parts, plan.sends(), keys):
            line.drain(parts)
            meter.advance(count)
    counts: Counter[EntityKind] = Counter()
    total_minor = 0
    for entity in parts.ledger.entities():
        counts[entity.key.kind] += 1
        if entity.key.kind is EntityKind.PAYMENT:
            total_minor += int(entity.values["amount_minor"])
    return LedgerTotals(
        label=label,
        deliveries=len(plan),
        duplicates=parts.ledger.outcome_counts().get(Outcome.DUPLICATE, 0),
        sales=counts[EntityKind.SALE],
        payments=counts[EntityKind.PAYMENT],
        total_minor=total_minor,
        hash=state_hash(parts.ledger.entities()),
    )


def show(story: PaymentsStory) -> bool:
    """Show the story and return whether every proof holds."""
    books = story.books
    table(
        "A file of payments as sales",
        ("", ">deliveries", ">duplicates", ">sales", ">payments", ">total"),
        (
            ("the file", books.payments, 0, books.orders, books.payments, Money("BRL", books.total_minor)),
            *(
                (run.label, run.deliveries, run.duplicates, run.sales, run.payments, Money("BRL", run.total_minor))
                for run in story.runs
            ),
        ),
    )
    out.print()
    return show_proofs(story.proofs())


def document(story: PaymentsStory) -> dict[str, Any]:
    """Return the story for scripts."""
    return {
        "file": {"sales": story.books.orders, "payments": story.books.payments, "total_minor": story.books.total_minor},
        "runs": [
            {
                "label": run.label,
                "deliveries": run.deliveries,
                "duplicates": run.duplicates,
                "sales": run.sales,
                "payments": run.payments,
                "total_minor": run.total_minor,
                "state_hash": run.hash,
            }
            for run in story.runs
        ],
        "proofs": [{"holds": is_so, "says": sentence} for is_so, sentence in story.proofs()],
    }
