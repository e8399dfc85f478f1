"""Asiento folds a set of facts into one entity, the same in every order (I3), and keeps what disagrees (I4)."""

import random

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.facts import Fact, Stamp, Version
from shared.domain.fold import Entity, canonical, fold, from_document, to_document
from tests.domain.statements import PAYMENT, TICKET, facts


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
