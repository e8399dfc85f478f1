"""Random statements about a few entities, made to collide: ties, disagreements, reused events, missing fields."""

from collections.abc import Sequence

from hypothesis import strategies as st

from shared.domain.facts import EntityKey, EntityKind, Fact, Reading, Value, Version

SALE = EntityKey(EntityKind.SALE, "betterez", "s1")
TICKET = EntityKey(EntityKind.TICKET, "betterez", "t1")
PAYMENT = EntityKey(EntityKind.PAYMENT, "betterez", "s1:ref")
REFUND = EntityKey(EntityKind.REFUND, "betterez", "r1")

_STATED: dict[EntityKey, dict[str, st.SearchStrategy[Value]]] = {
    SALE: {
        "status": st.sampled_from(["pending", "paid", "reversed"]),
        "total_minor": st.sampled_from([100, 200]),
        "currency": st.just("ARS"),
    },
    TICKET: {
        "status": st.sampled_from(["open", "boarded", "refunded"]),
        "fare_minor": st.sampled_from([100, 100, 100, 101]),
        "currency": st.just("ARS"),
        "sale": st.just(str(SALE)),
        "seat": st.sampled_from(["1", "2"]),
    },
    PAYMENT: {
        "status": st.sampled_from(["pending", "success"]),
        "amount_minor": st.sampled_from([100, 100, 100, 99]),
        "sale": st.just(str(SALE)),
    },
    REFUND: {
        "amount_minor": st.sampled_from([90, 90, 90, 100]),
        "ticket": st.just(str(TICKET)),
        "payment": st.just(str(PAYMENT)),
        "refund_type": st.sampled_from(["cash", "exchange"]),
    },
}


@st.composite
def facts(draw: st.DrawFn, key: EntityKey | None = None) -> Fact:
    """Draw one fact; few versions, so that ties are common."""
    about = key or draw(st.sampled_from(list(_STATED)))
    named = draw(st.lists(st.sampled_from(list(_STATED[about])), unique=True, min_size=1))
    named = list(dict.fromkeys(("status", *named))) if "status" in _STATED[about] else named
    values = {name: draw(_STATED[about][name]) for name in named}
    return Fact(about, Version(draw(st.integers(1, 3)), draw(st.integers(0, 2))), values)


@st.composite
def readings(draw: st.DrawFn) -> Reading:
    """Draw one raw event; few event keys and digests, so that duplicates and conflicting contents are common."""
    event = draw(st.integers(1, 12))
    content = draw(st.sampled_from(["a", "a", "a", "b"]))
    return Reading(f"betterez:e{event}", "transaction.completed", 1, f"{content}{event}", ())


def with_facts(drawn: Sequence[Reading], contents: dict[tuple[str, str], tuple[Fact, ...]]) -> list[Reading]:
    """Give each (event, content) its facts: the same content always says the same."""
    return [
        Reading(each.event_key, each.event_type, 1, each.content_digest, contents[each.event_key, each.content_digest])
        for each in drawn
    ]


@st.composite
def histories(draw: st.DrawFn) -> list[Reading]:
    """Draw a history of raw events about the same few entities."""
    drawn = draw(st.lists(readings(), min_size=1, max_size=16))
    contents = {
        (each.event_key, each.content_digest): tuple(draw(st.lists(facts(), min_size=1, max_size=4))) for each in drawn
    }
    return with_facts(drawn, contents)
