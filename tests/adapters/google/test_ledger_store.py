"""Asiento's ledger on Firestore: what one delivery costs, and how a transaction bears contention and lost answers."""

import pytest
from google.cloud.firestore_v1.services.firestore import FirestoreClient

from shared.adapters.google.documents import Documents
from shared.adapters.google.ledger_store import GoogleLedgerStore
from shared.domain.errors import TerminalError, TransientError
from shared.domain.facts import EntityKey, EntityKind, Want
from shared.domain.outcomes import Outcome
from shared.domain.settle import Derivation, Effects, Snapshot, settle, touch_of
from tests.conformance.samples import after, apply, delivery, derived, fact, sale
from tests.emulators.faults import Fault
from tests.emulators.firestore import FirestoreEmulator
from tests.emulators.fixtures import HURRIED, fresh_name


def paid(number: int, name: str = "s1") -> Derivation:
    """Return a derivation that pays one sale."""
    return derived(number, f"e{number}", fact(sale(name), number, status="paid"))


def test_a_delivery_costs_one_read_and_one_commit(ledger: GoogleLedgerStore, firestore: FirestoreEmulator) -> None:
    """Asiento settles a delivery with two calls: reads of verdict, mark and entities, and one commit."""
    payment = EntityKey(EntityKind.PAYMENT, "betterez", "s1:R1")
    stated = (fact(sale("s1"), status="paid"), fact(payment, status="success", sale=str(sale("s1"))))
    apply(ledger, derived(1, "e1", *stated))
    assert firestore.faults.calls == {"BatchGetDocuments": 1, "Commit": 1}
    assert firestore.billed == {"document_reads": 4, "document_writes": 6}


def test_a_delivery_that_comes_again_costs_no_write(ledger: GoogleLedgerStore, firestore: FirestoreEmulator) -> None:
    """Asiento writes nothing for a delivery that has its verdict, and gives its locks back."""
    apply(ledger, paid(1))
    firestore.faults.clear()
    firestore.billed.clear()
    apply(ledger, paid(1))
    assert firestore.billed["document_writes"] == 0
    assert firestore.faults.calls["Rollback"] == 1


def test_contention_is_settled_from_fresh_reads(ledger: GoogleLedgerStore) -> None:
    """Asiento decides again when another worker has written what it read, and loses neither fact."""
    tries = []

    def decide(snapshot: Snapshot) -> Effects:
        tries.append(len(snapshot.entities))
        if len(tries) == 1:
            apply(ledger, paid(1))
        return settle([paid(2)], snapshot, now_ms=1, code_version="test")

    ledger.transact(touch_of([paid(2)]), decide)
    assert tries == [0, 1]
    assert len(ledger.facts(sale("s1"))) == 2


def test_contention_that_does_not_end_is_transient(
    firestore_client: FirestoreClient, firestore: FirestoreEmulator
) -> None:
    """Asiento gives contention back as something that passes, when it does not end in time."""
    database = f"projects/{fresh_name('contended')}/databases/(default)"
    ledger = GoogleLedgerStore(Documents(firestore_client, database, HURRIED))
    firestore.faults.by_chance = lambda method: Fault.ABORTED if method == "Commit" else None
    with pytest.raises(TransientError, match="try again later"):
        apply(ledger, paid(1))
    firestore.faults.by_chance = None
    assert ledger.verdict(delivery(1).delivery_id) is None


@pytest.mark.parametrize(
    "fault", [Fault.ABORTED, Fault.UNAVAILABLE, Fault.ANSWER_LOST], ids=lambda fault: fault.name.lower()
)
def test_a_read_that_fails_begins_the_transaction_anew(
    ledger: GoogleLedgerStore, firestore: FirestoreEmulator, fault: Fault
) -> None:
    """Asiento bears a read that is aborted, refused or breaks off half-way."""
    firestore.faults.plan("BatchGetDocuments", fault)
    assert apply(ledger, paid(1))[0].outcome is Outcome.APPLIED
    assert len(ledger.facts(sale("s1"))) == 1


def test_a_commit_whose_answer_was_lost_is_recognised(ledger: GoogleLedgerStore, firestore: FirestoreEmulator) -> None:
    """Asiento finds its own commit when the answer was lost, and returns what that commit did."""
    firestore.faults.plan("Commit", Fault.ANSWER_LOST)
    effects = ledger.transact(
        touch_of([paid(1)]), lambda snapshot: settle([paid(1)], snapshot, now_ms=1, code_version="test")
    )
    assert [stored.fact.key for stored in effects.facts] == [sale("s1")]
    assert firestore.faults.calls["Commit"] == 1


def test_a_replay_whose_answer_was_lost_is_one_attempt(ledger: GoogleLedgerStore, firestore: FirestoreEmulator) -> None:
    """Asiento notes a replay once, also where the answer to its commit was lost."""
    apply(ledger, paid(1))
    firestore.faults.plan("Commit", Fault.ANSWER_LOST)
    (verdict,) = apply(ledger, paid(1), now=after(hours=1), is_replay=True)
    assert len(verdict.attempts) == 2
    assert ledger.verdict(delivery(1).delivery_id) == verdict


def test_a_transaction_that_is_too_large_is_refused_whole(
    ledger: GoogleLedgerStore, firestore: FirestoreEmulator
) -> None:
    """Asiento refuses a transaction that Firestore would not take, before anything is sent, and says what to do."""
    long = "x" * 200_000
    batch = [derived(number, f"e{number}", fact(sale(f"s{number}"), status=long)) for number in range(30)]
    with pytest.raises(TerminalError, match="settle fewer deliveries together"):
        apply(ledger, *batch)
    assert firestore.faults.calls["Commit"] == 0
    assert list(ledger.entities()) == []


def test_a_document_that_grew_too_large_is_named(ledger: GoogleLedgerStore) -> None:
    """Asiento names the document that Firestore would not take."""
    with pytest.raises(TerminalError, match="document entities/sale:betterez:s1 has"):
        apply(ledger, derived(1, "e1", fact(sale("s1"), status="x" * 1_100_000)))


def test_an_entity_document_does_not_grow_with_its_facts(ledger: GoogleLedgerStore, documents: Documents) -> None:
    """Asiento keeps an entity's document as small after many facts as after few."""
    sizes = []
    for start in (0, 10, 400):
        batch = [
            derived(at, f"e{at:03}", fact(sale("s1"), at + 1, status="paid", total_minor=100))
            for at in range(start, start + 10)
        ]
        apply(ledger, *batch)
        (fields,) = documents.get(["entities/sale:betterez:s1"]).values()
        sizes.append(len(str(fields["body"])))
    assert max(sizes) - min(sizes) < 20


@pytest.mark.parametrize("parts_max", [1, 2, 7])
def test_partitions_together_are_the_whole_ledger(ledger: GoogleLedgerStore, parts_max: int) -> None:
    """Asiento exports in parts that together hold every entity once, each part in order."""
    names = [f"s{number:03}" for number in range(120)]
    apply(ledger, *(derived(number, name, fact(sale(name), status="paid")) for number, name in enumerate(names)))
    parts = [list(part) for part in ledger.entity_partitions(parts_max)]
    assert len(parts) == parts_max
    assert [entity.key.entity_id for part in parts for entity in part] == names


def test_an_export_shows_one_moment(ledger: GoogleLedgerStore) -> None:
    """Asiento exports the ledger as it stood when the export began, whatever is written meanwhile."""
    names = [f"s{number:03}" for number in range(700)]
    apply(ledger, *(derived(number, name, fact(sale(name), status="paid")) for number, name in enumerate(names)))
    export = ledger.entities()
    first = next(export)
    apply(ledger, derived(900, "late", fact(sale("s699"), 9, status="reversed"), fact(sale("s999"), status="paid")))
    rest = list(export)
    assert [entity.key.entity_id for entity in (first, *rest)] == names
    assert rest[-1].values == {"status": "paid"}


def test_an_outbox_message_that_is_gone_is_not_counted(ledger: GoogleLedgerStore) -> None:
    """Asiento does not bring a message back by counting a failed try of it."""
    apply(ledger, derived(1, "e1", wants=(Want(sale("s1"), "moved"),)))
    (entry,) = ledger.outbox(9, after(hours=1))
    ledger.outbox_done([entry.message.message_id])
    ledger.outbox_failed([entry.message.message_id], after(minutes=5))
    assert ledger.outbox_depth() == 0


def test_a_missing_permission_names_the_role(ledger: GoogleLedgerStore, firestore: FirestoreEmulator) -> None:
    """Asiento tells which role to grant when it may not read or commit."""
    for method in ("BatchGetDocuments", "Commit"):
        firestore.faults.plan(method, Fault.PERMISSION_DENIED)
        with pytest.raises(TerminalError, match=r"grant roles/datastore\.user"):
            apply(ledger, paid(1))
