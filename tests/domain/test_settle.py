"""Asiento settles readings purely: once for ever, in any order and batch, with an outcome for each."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.errors import Quarantine, UnreadableError
from shared.domain.facts import EntityKey, EntityKind, Fact, Reading, Value, Version, Want
from shared.domain.fold import Entity, from_document, to_document
from shared.domain.outcomes import Outcome, Verdict
from shared.domain.settle import Derivation, EventMark, OutboxMessage, Snapshot, StoredFact, settle, touch_of
from shared.pipeline.state_hash import state_hash
from tests.domain.statements import PAYMENT, SALE, TICKET, histories


class Ledger:
    """The smallest ledger that keeps its promises: dictionaries, and documents, so that nothing is shared by chance."""

    def __init__(self) -> None:
        """Start empty."""
        self.entities: dict[EntityKey, Entity] = {}
        self.marks: dict[str, EventMark] = {}
        self.verdicts: dict[str, Verdict] = {}
        self.facts: dict[tuple[EntityKey, str, str], StoredFact] = {}
        self.outbox: list[OutboxMessage] = []

    def settle(
        self, derivations: Sequence[Derivation], *, is_replay: bool = False, code_version: str = "t"
    ) -> list[Verdict]:
        """Settle one batch as a store does."""
        touch = touch_of(derivations)
        marks = {key: self.marks[key] for key in touch.event_keys if key in self.marks}
        keys = touch.entity_keys | {key for mark in marks.values() for key in mark.entity_keys}
        entities = {key: from_document(key, to_document(self.entities[key])) for key in keys if key in self.entities}
        verdicts = {key: self.verdicts[key] for key in touch.delivery_ids if key in self.verdicts}
        effects = settle(
            derivations, Snapshot(verdicts, marks, entities), now_ms=1, code_version=code_version, is_replay=is_replay
        )
        self.entities.update(effects.entities)
        self.marks.update(effects.marks)
        self.verdicts.update({verdict.delivery_id: verdict for verdict in effects.verdicts})
        self.facts.update({(f.fact.key, f.stamp.event_key, f.stamp.content_digest): f for f in effects.facts})
        self.outbox += effects.outbox
        return effects.verdicts

    @property
    def hash(self) -> str:
        """Return the state hash."""
        return state_hash(self.entities[key] for key in sorted(self.entities))


def derivation(delivery: str, result: Reading | Exception, received_at_ms: int = 10) -> Derivation:
    """Return a derivation of a delivery."""
    return Derivation(delivery, f"2026/01/01/00/betterez/webhook/{delivery}", 0, received_at_ms, result)


def reading(event: str, *facts: Fact, digest: str = "d", wants: tuple[Want, ...] = ()) -> Reading:
    """Return a reading of an event."""
    return Reading(f"betterez:{event}", "transaction.completed", 1, digest, facts, wants)


def fact(key: EntityKey, at_ms: int = 1, **values: Value) -> Fact:
    """Return a fact."""
    return Fact(key, Version(at_ms), values)


def batches(items: list[Derivation], sizes: random.Random) -> list[list[Derivation]]:
    """Cut a list into batches of random sizes."""
    cut, rest = [], items
    while rest:
        size = sizes.randint(1, 4)
        cut.append(rest[:size])
        rest = rest[size:]
    return cut


@given(histories(), st.randoms(use_true_random=False))
def test_order_duplicates_and_batches_cannot_be_seen(history: list[Reading], shuffle: random.Random) -> None:
    """Asiento reaches one state hash from any permutation, duplication and re-batching of the same deliveries (I3)."""
    plain = Ledger()
    for at, each in enumerate(history):
        plain.settle([derivation(f"d{at:03}", each)])
    shuffled = [derivation(f"d{at:03}", each) for at, each in enumerate(history)]
    shuffled += [derivation(f"x{at:03}", shuffle.choice(history)) for at in range(len(history))]
    shuffled += shuffle.choices(shuffled, k=3)  # the bus brings some announcements twice
    shuffle.shuffle(shuffled)
    other = Ledger()
    for batch in batches(shuffled, shuffle):
        other.settle(batch)
    assert other.hash == plain.hash
    assert set(other.facts) == set(plain.facts)


@given(histories())
def test_the_history_generator_makes_the_hard_cases(history: list[Reading]) -> None:
    """Asiento's generator is audited: what it makes is counted over the whole run in `test_generator_audit`."""
    AUDIT.update(situations(history))


AUDIT: Counter[str] = Counter()


def situations(history: Sequence[Reading]) -> list[str]:
    """Name the hard situations in a history."""
    told: dict[EntityKey, list[Fact]] = {}
    digests: dict[str, set[str]] = {}
    for each in history:
        digests.setdefault(each.event_key, set()).add(each.content_digest)
        for stated in each.facts:
            told.setdefault(stated.key, []).append(stated)
    met = [name for statements in told.values() for name in _situations_of_one(statements)]
    if len(digests) < len(history):
        met.append("same event twice")
    if any(len(found) > 1 for found in digests.values()):
        met.append("same event, other content")
    return met


def _situations_of_one(statements: Sequence[Fact]) -> Iterator[str]:
    versions = [stated.version for stated in statements]
    statuses = [stated.values.get("status") for stated in statements]
    if len(set(versions)) < len(versions):
        yield "tie of versions"
    if versions != sorted(versions):
        yield "late arrival"
    if len({stated.values["fare_minor"] for stated in statements if "fare_minor" in stated.values}) > 1:
        yield "amount changes"
    if "refunded" in statuses and "open" in statuses[statuses.index("refunded") :]:
        yield "cancellation first"


def test_generator_audit() -> None:
    """Asiento's random histories contain every situation that the rules are for."""
    wanted = {
        "same event twice",
        "same event, other content",
        "tie of versions",
        "late arrival",
        "amount changes",
        "cancellation first",
    }
    if not AUDIT:
        test_the_history_generator_makes_the_hard_cases()
    print(dict(AUDIT))  # noqa: T201  the table of situations met
    assert wanted <= set(AUDIT)


def test_a_duplicate_is_applied_once_and_named() -> None:
    """Asiento applies an event once and names the delivery that brought it first."""
    ledger = Ledger()
    same = reading("e1", fact(PAYMENT, amount_minor=100))
    first, second = ledger.settle([derivation("d1", same), derivation("d2", same)])
    assert (first.outcome, second.outcome) == (Outcome.APPLIED, Outcome.DUPLICATE)
    assert "d1" in second.reason
    assert len(ledger.facts) == 1


def test_the_same_event_with_other_content_is_a_conflict_in_either_order() -> None:
    """Asiento keeps both contents of one event id, shows the conflict and folds the same in either order (I4)."""
    one = reading("e1", fact(PAYMENT, amount_minor=100, status="success"), digest="a")
    two = reading("e1", fact(PAYMENT, amount_minor=200, status="pending"), digest="b")
    hashes = set()
    for order in ([one, two], [two, one]):
        ledger = Ledger()
        verdicts = [ledger.settle([derivation(f"d{at}", each)])[0] for at, each in enumerate(order)]
        assert [verdict.outcome for verdict in verdicts] == [Outcome.APPLIED, Outcome.CONFLICT]
        assert ledger.entities[PAYMENT].disputed == {"betterez:e1"}
        assert ledger.entities[PAYMENT].has_conflict
        hashes.add(ledger.hash)
    assert len(hashes) == 1


def test_a_conflict_marks_what_the_first_content_spoke_of_too() -> None:
    """Asiento marks every entity that any content of a disputed event speaks of."""
    ledger = Ledger()
    ledger.settle([derivation("d1", reading("e1", fact(TICKET, status="open"), digest="a"))])
    ledger.settle([derivation("d2", reading("e1", fact(SALE, status="paid"), digest="b"))])
    assert all(ledger.entities[key].disputed for key in (TICKET, SALE))


def test_an_amount_that_changes_names_both_values() -> None:
    """Asiento says which field of which entity disagrees, and both values."""
    ledger = Ledger()
    ledger.settle([derivation("d1", reading("e1", fact(PAYMENT, amount_minor=100)))])
    (verdict,) = ledger.settle([derivation("d2", reading("e2", fact(PAYMENT, 2, amount_minor=99)))])
    assert verdict.outcome is Outcome.CONFLICT
    assert "payment:betterez:s1:ref.amount_minor was said to be 100 and 99" in verdict.reason


def test_late_news_is_superseded_and_kept() -> None:
    """Asiento keeps the facts of late news though nothing of it stands."""
    ledger = Ledger()
    ledger.settle([derivation("d2", reading("e2", fact(TICKET, 2, status="refunded")))])
    (verdict,) = ledger.settle([derivation("d1", reading("e1", fact(TICKET, 1, status="open")))])
    assert verdict.outcome is Outcome.SUPERSEDED
    assert len(ledger.facts) == 2


def test_what_cannot_be_read_is_quarantined_and_a_replay_is_an_attempt_of_its_own() -> None:
    """Asiento quarantines with the reason; after a code change a replay applies it, and both attempts are kept (I5)."""
    ledger = Ledger()
    (held,) = ledger.settle([derivation("d1", UnreadableError(Quarantine.UNKNOWN_CURRENCY, "'XXX'"))])
    assert (held.outcome, held.reason) == (Outcome.QUARANTINED, "unknown_currency: 'XXX'")
    mended = derivation("d1", reading("e1", fact(PAYMENT, amount_minor=100)))
    assert ledger.settle([mended])[0].outcome is Outcome.QUARANTINED
    (verdict,) = ledger.settle([mended], is_replay=True)
    assert [attempt.outcome for attempt in verdict.attempts] == [Outcome.QUARANTINED, Outcome.APPLIED]


def test_other_code_tries_again_what_code_failed_on() -> None:
    """Asiento lets other code try what its code failed on, once a version, as an attempt of its own; nothing else."""
    ledger = Ledger()
    failing = derivation("d1", KeyError("sale"))
    ledger.settle([failing])
    mended = derivation("d1", reading("e1", fact(PAYMENT, amount_minor=100)))
    assert ledger.settle([mended])[0].outcome is Outcome.FAILED, "the same code keeps its verdict"
    (verdict,) = ledger.settle([mended], code_version="mended")
    assert [(each.outcome, each.code_version) for each in verdict.attempts] == [
        (Outcome.FAILED, "t"),
        (Outcome.APPLIED, "mended"),
    ]
    assert ledger.settle([failing], code_version="newer")[0] == verdict, "what came through stays"


def test_replaying_what_was_applied_changes_nothing() -> None:
    """Asiento can replay everything: same hash, same facts, one more attempt (outpost #670)."""
    ledger = Ledger()
    given_ = derivation("d1", reading("e1", fact(TICKET, status="open", sale=str(SALE))))
    ledger.settle([given_])
    before = ledger.hash, set(ledger.facts)
    (verdict,) = ledger.settle([given_], is_replay=True)
    assert (ledger.hash, set(ledger.facts)) == before
    assert [attempt.outcome for attempt in verdict.attempts] == [Outcome.APPLIED, Outcome.APPLIED]


def test_a_failure_of_ours_is_an_outcome_and_quotes_nobody() -> None:
    """Asiento ends a delivery on which its code failed as failed, without quoting what it held."""
    (verdict,) = Ledger().settle([derivation("d1", KeyError("Juana Molina"))])
    assert verdict.outcome is Outcome.FAILED
    assert "KeyError" in verdict.reason
    assert "Juana" not in verdict.reason


def test_a_version_from_the_future_is_refused() -> None:
    """Asiento does not believe a version a day later than its arrival: it would outrank every true one to come."""
    day_ms = 24 * 3600 * 1000
    (held,) = Ledger().settle([derivation("d1", reading("e1", fact(TICKET, 11 + day_ms, status="open")), 10)])
    assert held.outcome is Outcome.QUARANTINED
    assert held.reason.startswith("future_version")
    (applied,) = Ledger().settle([derivation("d1", reading("e1", fact(TICKET, 10 + day_ms, status="open")), 10)])
    assert applied.outcome is Outcome.APPLIED


def test_what_is_pointed_at_in_vain_is_awaited_until_it_is_described() -> None:
    """Asiento waits for the sale that a ticket names, knows who waits, and forgets it when the sale comes."""
    ledger = Ledger()
    ledger.settle([derivation("d1", reading("e1", fact(TICKET, status="open", sale=str(SALE))))])
    awaited = ledger.entities[SALE]
    assert awaited.is_awaited
    assert (awaited.wanted_by, awaited.awaited_since_ms) == ({str(TICKET)}, 1)
    alone = ledger.hash
    ledger.settle([derivation("d2", reading("e2", fact(SALE, status="paid")))])
    assert not ledger.entities[SALE].is_awaited
    assert ledger.entities[SALE].awaited_since_ms is None
    assert ledger.hash != alone


def test_a_thin_event_leaves_a_fetch_in_the_outbox() -> None:
    """Asiento leaves what must be fetched in the outbox of the same transaction (I7)."""
    ledger = Ledger()
    ledger.settle([derivation("d1", reading("e1", wants=(Want(SALE, "moved"),)))])
    assert [(message.topic, message.key) for message in ledger.outbox] == [("fetch", SALE)]


def test_an_event_that_states_nothing_about_money_is_applied() -> None:
    """Asiento gives a known event without statements an outcome that says so."""
    (verdict,) = Ledger().settle([derivation("d1", reading("e1"))])
    assert (verdict.outcome, verdict.reason) == (Outcome.APPLIED, "transaction.completed states nothing about money")


@pytest.mark.parametrize("kind", list(EntityKind))
def test_keys_read_back(kind: EntityKind) -> None:
    """Asiento reads an entity key back from its one-line form, colons in the id included."""
    key = EntityKey(kind, "betterez", "65f0:ref:1")
    assert EntityKey.parse(str(key)) == key


def test_who_waits_is_known_while_nothing_describes_it_and_no_longer() -> None:
    """Asiento knows all that wait for a sale, forgets them when it comes, and lets nobody wait for what is there."""
    ledger = Ledger()
    tickets = [EntityKey(EntityKind.TICKET, "betterez", f"t{number}") for number in range(3)]
    for number, ticket in enumerate(tickets[:2]):
        ledger.settle([derivation(f"d{number}", reading(f"e{number}", fact(ticket, sale=str(SALE))))])
    assert ledger.entities[SALE].wanted_by == {str(ticket) for ticket in tickets[:2]}
    ledger.settle([derivation("d8", reading("e8", fact(SALE, status="paid")))])
    assert (ledger.entities[SALE].wanted_by, ledger.entities[SALE].awaited_since_ms) == (set(), None)
    ledger.settle([derivation("d9", reading("e9", fact(tickets[2], sale=str(SALE))))])
    assert (ledger.entities[SALE].wanted_by, ledger.entities[SALE].awaited_since_ms) == (set(), None)


def test_a_known_disagreement_is_told_once() -> None:
    """Asiento calls an amount that differs a conflict when it comes, and old news when a later event says it again."""
    ledger = Ledger()
    said = [100, 99, 99, 100, 98]
    outcomes = [
        ledger.settle([derivation(f"d{at}", reading(f"e{at}", fact(PAYMENT, at, amount_minor=amount)))])[0].outcome
        for at, amount in enumerate(said)
    ]
    assert outcomes == [
        Outcome.APPLIED,
        Outcome.CONFLICT,
        Outcome.SUPERSEDED,
        Outcome.SUPERSEDED,
        Outcome.CONFLICT,
    ]


def test_only_what_states_nothing_is_said_to_state_nothing() -> None:
    """Asiento gives no remark to an event that states something, or that makes it fetch what it points at."""
    ledger = Ledger()
    stating = reading("e1", fact(SALE, status="paid"))
    pointing = reading("e2", wants=(Want(TICKET, "its trip has changed"),))
    idle = reading("e3")
    reasons = [
        ledger.settle([derivation(delivery, each)])[0].attempts[-1].reason
        for delivery, each in (("d1", stating), ("d2", pointing), ("d3", idle))
    ]
    assert reasons == ["", "", "transaction.completed states nothing about money"]


def test_a_delivery_that_is_announced_twice_at_once_is_judged_once() -> None:
    """Asiento gives one delivery one verdict, also where the bus brings it twice in one batch."""
    told = derivation("d1", reading("e1", fact(TICKET, status="open")))
    effects = settle([told, told], Snapshot({}, {}, {}), now_ms=1, code_version="t")
    first, second = effects.verdicts
    assert first is second
    assert len(effects.facts) == 1


def test_an_event_with_two_contents_is_a_conflict_by_itself() -> None:
    """Asiento calls two contents of one event a conflict and says so first, whether or not any field disagrees."""
    for stated, says in (({"seat": "7"}, ""), ({"fare_minor": 2}, f"; {TICKET}.fare_minor was said to be 1 and 2")):
        ledger = Ledger()
        ledger.settle([derivation("d1", reading("e1", fact(TICKET, fare_minor=1), digest="one"))])
        (verdict,) = ledger.settle([derivation("d2", reading("e1", fact(TICKET, 2, **stated), digest="two"))])
        assert verdict.outcome is Outcome.CONFLICT
        assert verdict.reason == f"event betterez:e1 came with 2 different contents{says}"


def test_who_waits_already_is_not_written_again() -> None:
    """Asiento writes what is pointed at in vain once for each that points there, not with each of its statements."""
    told = [reading(f"e{at}", fact(TICKET, at, sale=str(SALE))) for at in (1, 2)]
    ledger = Ledger()
    ledger.settle([derivation("d1", told[0])])
    snapshot = Snapshot({}, {}, ledger.entities)
    assert settle([derivation("d2", told[1])], snapshot, now_ms=2, code_version="t").entities.keys() == {TICKET}
