"""Asiento applies each of five hundred refunds once, although every one of them comes twice at the same time."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from threading import Barrier

from shared.adapters.embedded.ledger_store import SqliteLedgerStore
from shared.adapters.embedded.raw_store import SqliteRawStore
from shared.domain.deliveries import Channel, Delivery
from shared.domain.facts import EntityKind
from shared.domain.outcomes import Outcome
from shared.pipeline.derive import Deriving, derive
from shared.pipeline.reconciliation.chunks import chunks
from shared.providers import betterez
from tests.providers.betterez import documents as doc

SEED = 77
REFUNDS = 500
THREADS = 8
BATCH = 10
AT = datetime(2026, 3, 10, 15, tzinfo=UTC)


def amounts_minor(number: int) -> tuple[int, int]:
    """Return what is given back and what the company keeps of it, in centavos: whole pesos."""
    return (1_000 + number) * 100, 10_000


def refund(number: int, attempt: int) -> Delivery:
    """Return one attempt of the platform to tell of a refund."""
    item_minor, penalty_minor = amounts_minor(number)
    back = item_minor - penalty_minor
    data = doc.refund(
        _id=f"{number:024x}",
        ticketId=f"{number + 10_000:024x}",
        amount=item_minor * 1_000,
        penalty=penalty_minor * 1_000,
        amountToRefund=back * 1_000,
        payment=[{"type": "cash", "provider": "inperson", "amount": back // 100}],
    )
    envelope = doc.envelope("refund.created", data, id=f"event-{number}", attemptId=f"attempt-{number}-{attempt}")
    body = json.dumps(envelope).encode()
    return Delivery(f"d{attempt}-{number:04d}", "betterez", Channel.WEBHOOK, AT, "/betterez", {}, body)


def test_five_hundred_refunds_sent_twice_at_once(tmp_path: Path) -> None:
    """Asiento applies five hundred refunds that come twice concurrently five hundred times, to the cent."""
    print(f"seed {SEED}")  # noqa: T201  shown with a failure
    random = Random(SEED)  # noqa: S311  a seeded test, no secret
    raw, ledger = SqliteRawStore(tmp_path / "raw.db"), SqliteLedgerStore(tmp_path / "ledger.db")
    deliveries = [refund(number, attempt) for number in range(REFUNDS) for attempt in (1, 2)]
    raw.create_all(deliveries)
    random.shuffle(deliveries)
    batches = [[each.object_name for each in batch] for batch in chunks(deliveries, BATCH)]
    deriving = Deriving({"betterez": betterez.PROVIDER}, raw, ledger, "test")
    start = Barrier(THREADS)

    def work(first: int) -> list[Outcome]:
        start.wait()
        return [verdict.outcome for names in batches[first::THREADS] for verdict in derive(names, deriving, AT)]

    with ThreadPoolExecutor(THREADS) as pool:
        outcomes = [outcome for some in pool.map(work, range(THREADS)) for outcome in some]

    assert (outcomes.count(Outcome.APPLIED), outcomes.count(Outcome.DUPLICATE)) == (REFUNDS, REFUNDS)
    assert ledger.outcome_counts() == {Outcome.APPLIED: REFUNDS, Outcome.DUPLICATE: REFUNDS}
    refunds = list(ledger.entities(EntityKind.REFUND))
    assert len(refunds) == REFUNDS
    assert all(len(ledger.facts(each.key)) == 1 and not each.has_conflict for each in refunds)
    assert sum(int(each.values["amount_minor"]) for each in refunds) == sum(
        item_minor - penalty_minor for item_minor, penalty_minor in map(amounts_minor, range(REFUNDS))
    )
    raw.close()
    ledger.close()
