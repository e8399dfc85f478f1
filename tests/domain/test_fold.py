"""Asiento folds a set of facts into one entity, the same in every order (I3), and keeps what disagrees (I4)."""

import random
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.facts import EntityKey, EntityKind, Fact, Stamp, Version
from shared.domain.fold import Entity, canonical, fold, from_document, to_document
from tests.domain.statements import PAYMENT, REFUND, SALE, TICKET, facts


def stamp(fact: Fact, event: str, rank: int = 0) -> Stamp:
    """Return the stamp of a fact from an event."""
    return Stamp(*fact.version, rank, f"betterez:{event}", "digest")


def said(at_ms: int, step: int = 0, **values: str | int) -> Fact:
    """Return a fact about the ticket."""
    return Fact(TICKET, Version(at_ms, step), values)


@given(st.lists(facts(TICKET), max_size=10), st.randoms(use_true_random=False))
def test_any_order_and_any_repetition_gives_the_same_entity(drawn: list[Fact], shuffle: random.Random) -> None:
    """Asiento folds facts to the same entity, stamps and conflicts included, in every order and with repeats."""
    stamped = [(fact, stamp(fact, f"e{at}")) for at, fact in enumerate(drawn)]
    again = stamped + [shuffle.choice(stamped) for _ in range(len(stamped))]
    shuffle.shuffle(again)
    assert fold(TICKET, again) == fold(TICKET, stamped)


@given(st.lists(facts(TICKET), max_size=8))
def test_a_document_carries_the_whole_entity(drawn: list[Fact]) -> None:
    """Asiento reads an entity back from its document exactly as it was."""
    entity = fold(TICKET, [(fact, stamp(fact, f"e{at}")) for at, fact in enumerate(drawn)])
    entity.wanted_by.add("refund:betterez:r1")
    entity.awaited_since_ms = 7
    assert from_document(TICKET, to_document(entity)) == entity


def test_the_latest_statement_stands_whenever_it_comes() -> None:
    """Asiento lets a cancellation stand that arrives before the sale."""
    cancelled, created = said(2, status="refunded"), said(1, status="open", seat="7")
    entity = fold(TICKET, [(cancelled, stamp(cancelled, "e2")), (created, stamp(created, "e1"))])
    assert entity.values == {"status": "refunded", "seat": "7"}


def test_what_was_never_said_stands_however_old_it_is() -> None:
    """Asiento tells a late statement from a superseded one: a field that nobody had said stands, also one that never changes."""
    newer, older = said(5, status="open"), said(3, status="reserved", fare_minor=100)
    entity = fold(TICKET, [(newer, stamp(newer, "e2"))])
    assert entity.join(older, stamp(older, "e1"))
    assert entity.values == {"status": "open", "fare_minor": 100}
    assert not entity.join(older, stamp(older, "e1"))


def test_same_second_ties_are_decided_by_how_far_the_life_has_gone() -> None:
    """Asiento keeps both events of one second: of "open" and "refunded", refunded is later (sync-engine #268)."""
    opened, refunded = said(1, 1, status="open"), said(1, 3, status="refunded")
    for order in ([opened, refunded], [refunded, opened]):
        entity = fold(TICKET, [(fact, stamp(fact, f"e{fact.version.step}")) for fact in order])
        assert entity.values["status"] == "refunded"


def test_pull_outranks_push_on_a_tie() -> None:
    """Asiento believes what it asked for over what it was told, at the same version."""
    told, asked = said(1, status="open"), said(1, status="boarded")
    entity = fold(TICKET, [(asked, stamp(asked, "a", rank=2)), (told, stamp(told, "z", rank=0))])
    assert entity.values["status"] == "boarded"


def test_an_absent_field_overwrites_nothing() -> None:
    """Asiento keeps a seat that a later event does not mention."""
    full, thin = said(1, seat="7", status="open"), said(2, status="boarded")
    entity = fold(TICKET, [(full, stamp(full, "e1")), (thin, stamp(thin, "e2"))])
    assert entity.values == {"seat": "7", "status": "boarded"}


def test_an_amount_that_changes_is_a_conflict_and_both_are_kept() -> None:
    """Asiento never overwrites an amount: the first word stands, both are shown, in either order."""
    first, other = (
        Fact(PAYMENT, Version(1), {"amount_minor": 100}),
        Fact(PAYMENT, Version(2), {"amount_minor": 99}),
    )
    for order in ([first, other], [other, first]):
        entity = fold(PAYMENT, [(fact, stamp(fact, f"e{fact.version.at_ms}")) for fact in order])
        assert entity.values["amount_minor"] == 100
        assert entity.has_conflict
        assert canonical(entity)["variants"] == {"amount_minor": [100, 99]}


def test_joining_says_whether_anything_stands() -> None:
    """Asiento calls a fact superseded when all it says was said again, later."""
    entity = Entity(TICKET)
    created, updated = said(1, status="open", fare_minor=100), said(2, status="boarded", fare_minor=100)
    assert entity.join(updated, stamp(updated, "e2"))
    assert not entity.join(created, stamp(created, "e1"))


def test_the_state_hash_is_taken_over_values_and_conflicts() -> None:
    """Asiento hashes what the ledger says of an entity and what is disputed about it, in one order, and nothing else."""
    created = said(1, status="open", fare_minor=100)
    entity = fold(TICKET, [(created, stamp(created, "e1"))])
    sound = {"key": "ticket:betterez:t1", "values": {"status": "open", "fare_minor": 100}}
    assert canonical(entity) == sound
    entity.wanted_by.add("refund:betterez:r1")
    entity.disputed |= {f"betterez:e{number}" for number in range(9, 0, -1)}
    in_order = [f"betterez:e{number}" for number in range(1, 10)]
    assert canonical(entity) == {**sound, "disputed": in_order}
    assert to_document(entity)["disputed"] == in_order


def test_a_conflict_is_hashed_in_one_order() -> None:
    """Asiento gives the same state hash whichever of the disagreeing amounts came first, also among many."""
    amounts = [Fact(PAYMENT, Version(at), {"amount_minor": 100 + at}) for at in range(9)]
    stamped = [(fact, stamp(fact, f"e{fact.version.at_ms}")) for fact in amounts]
    hashed = [canonical(fold(PAYMENT, order))["variants"] for order in (stamped, stamped[::-1])]
    assert hashed == [{"amount_minor": [100 + at for at in range(9)]}] * 2


def test_a_document_is_the_same_whatever_pointed_first() -> None:
    """Asiento writes who waits for an entity in one order, so that the same ledger gives the same bytes."""
    entity = Entity(TICKET, wanted_by={f"refund:betterez:r{number}" for number in range(9, 0, -1)})
    assert to_document(entity) == {
        "registers": {},
        "wanted_by": [f"refund:betterez:r{number}" for number in range(1, 10)],
        "stamps": [],
    }


def test_an_entity_is_listed_by_its_own_instant() -> None:
    """Asiento lists a ticket by the departure of its trip, and lists no entity whose instant is not known."""
    departs = said(5, departs_at_ms=1_700_000_000_000)
    assert fold(TICKET, [(departs, stamp(departs, "e1"))]).occurred_at_ms == 1_700_000_000_000
    assert Entity(TICKET).occurred_at_ms is None
    manifest = EntityKey(EntityKind.MANIFEST, "betterez", "m1")
    published = Fact(manifest, Version(5), {"status": "published"})
    assert fold(manifest, [(published, stamp(published, "e1"))]).occurred_at_ms is None


def test_an_entity_is_as_recent_as_the_latest_word_that_stands() -> None:
    """Asiento tells how recent an entity is by the latest statement that stands in it; 0 where nothing was said."""
    early, late = said(3, seat="7"), said(8, status="boarded")
    assert fold(TICKET, [(late, stamp(late, "e2")), (early, stamp(early, "e1"))]).version_at_ms == 8
    assert Entity(TICKET).version_at_ms == 0


def test_an_entity_names_where_it_points() -> None:
    """Asiento follows every link that an entity has, and none that it has not."""
    linked = said(1, sale=str(SALE), refund=str(REFUND), seat="7")
    assert dict(fold(TICKET, [(linked, stamp(linked, "e1"))]).links()) == {"sale": SALE, "refund": REFUND}
    assert list(Entity(TICKET).links()) == []


def test_what_nothing_describes_is_awaited() -> None:
    """Asiento calls an entity awaited until something describes it, and in conflict only where words disagree."""
    entity = Entity(TICKET)
    assert (entity.is_awaited, entity.has_conflict) == (True, False)
    described = said(1, seat="7")
    entity.join(described, stamp(described, "e1"))
    assert (entity.is_awaited, entity.has_conflict) == (False, False)
    entity.disputed.add("betterez:e1")
    assert entity.has_conflict


def test_the_first_word_stands_however_often_it_is_said_again() -> None:
    """Asiento lets the amount that was said first stand, also where it is said once more after another one was."""
    amounts = [Fact(PAYMENT, Version(at), {"amount_minor": amount}) for at, amount in ((1, 100), (2, 99), (3, 100))]
    stamped = [(fact, stamp(fact, f"e{fact.version.at_ms}")) for fact in amounts]
    for order in permutations(stamped):
        assert fold(PAYMENT, order).registers["amount_minor"] == (100, stamped[0][1])
