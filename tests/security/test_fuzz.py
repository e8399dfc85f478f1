"""Asiento reads whatever comes, or says why not: no bytes, header, structure or name makes it crash, hang or grow."""

import tracemalloc
from collections import Counter
from collections.abc import Callable
from random import Random
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.deliveries import Channel, Delivery
from shared.domain.entities import refuse_undeclared
from shared.domain.errors import Quarantine, RefusedError, UnreadableError
from shared.domain.facts import EntityKey
from shared.domain.settle import Derivation, touch_of
from shared.domain.times import to_ms
from shared.providers.toolkit import csv_rows, registry
from shared.providers.toolkit.json_body import VALUES_MAX, parse_value
from tests.security.mutations import ARRIVAL, FILES, PROVIDERS, SEED, mutated, samples

MUTATIONS = 400
EVERYBODY = registry.names()
every_provider = pytest.mark.parametrize("provider", EVERYBODY)


def outcome_of(delivery: Delivery) -> str:
    """Return how reading ended: `read`, or the reason of the quarantine. Whatever else is raised fails the test."""
    try:
        reading = registry.load(delivery.provider).read(delivery)
    except UnreadableError as unreadable:
        return unreadable.reason.value
    for fact in reading.facts:
        refuse_undeclared(fact)
        assert EntityKey.parse(str(fact.key)) == fact.key
        assert "/" not in str(fact.key)
        assert str(fact.key).isprintable()
    touch_of([Derivation("d", delivery.object_name, 0, to_ms(ARRIVAL), reading)])
    return "read"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_any_structure_is_read_or_held(provider: str) -> None:
    """Asiento reads or holds a true document in which any one place is something else, and never fails on it."""
    print(f"seed {SEED}")  # noqa: T201  shown with a failure
    random, originals = Random(f"{SEED} {provider}"), samples(provider)  # noqa: S311  a seeded test
    assert {outcome_of(each) for each in originals} == {"read"}
    ends = Counter(outcome_of(mutated(random.choice(originals), random)) for _ in range(MUTATIONS))
    # The generator is no tame one: it makes what is read and what is held, for several reasons.
    assert ends["read"] > MUTATIONS // 10
    assert len(ends) >= 5


@every_provider
@given(body=st.binary(max_size=300), channel=st.sampled_from(Channel), target=st.text(max_size=60))
def test_any_bytes_are_read_or_held(provider: str, body: bytes, channel: Channel, target: str) -> None:
    """Asiento reads or holds any bytes, of any channel, under any name."""
    assert outcome_of(Delivery("d", provider, channel, ARRIVAL, target, {}, body))


@pytest.mark.parametrize("provider", FILES)
@given(
    rows=st.lists(st.text(st.characters(codec="utf-8"), max_size=120), max_size=6),
    separator=st.sampled_from(["\n", "\r\n"]),
)
def test_any_rows_are_read_or_held(provider: str, rows: list[str], separator: str) -> None:
    """Asiento reads or holds any rows under a report's header."""
    header = FILES[provider].split(b"\n")[0].decode()
    body = separator.join((header, *rows)).encode()
    assert outcome_of(Delivery("d", provider, Channel.FILE, ARRIVAL, "report.csv", {}, body))


@every_provider
@given(
    values=st.lists(st.text(st.characters(codec="latin-1"), max_size=150), min_size=3, max_size=3),
    target=st.text(max_size=120),
    body=st.binary(max_size=50),
)
def test_any_headers_are_refused(provider: str, values: list[str], target: str, body: bytes) -> None:
    """Asiento refuses whatever stands in signature headers and address, and says why; it never crashes on them."""
    loaded = registry.load(provider)
    headers = dict(zip(loaded.capabilities.signature_headers, values, strict=False))
    with pytest.raises(RefusedError):
        loaded.verify(Delivery("d", provider, Channel.WEBHOOK, ARRIVAL, target, headers, body), ["a secret"], ARRIVAL)


_TIME = st.integers(-(10**20), 10**20).map(str) | st.sampled_from(["", "٣", "1e3", "0x1", "1.5", " 1", "+1"])


@every_provider
@given(time=_TIME, signature=st.text("0123456789abcdefABCDEF=+/,", max_size=90))
def test_any_well_formed_header_is_refused(provider: str, time: str, signature: str) -> None:
    """Asiento refuses headers that have the form of a signature and are none, whatever time they claim."""
    loaded = registry.load(provider)
    forms = {
        "betterez": {"x-btrz-signature": f"t={time},s2={signature}"},
        "stripe": {"stripe-signature": f"t={time},v1={signature}"},
        "mercadopago": {"x-signature": f"ts={time},v1={signature}", "x-request-id": "r"},
        "dummypay": {"webhook-id": "m", "webhook-timestamp": time, "webhook-signature": f"v1,{signature}"},
        "operator": {"x-asiento-signature": f"t={time},v1={signature}"},
    }
    headers = forms.get(provider, {})
    with pytest.raises(RefusedError):
        loaded.verify(
            Delivery("d", provider, Channel.WEBHOOK, ARRIVAL, f"/{provider}?data.id=1", headers, b"{}"), ["k"], ARRIVAL
        )


MIB = 1024 * 1024
HEADER = FILES["stripe"].split(b"\n")[0]
BOMBS: dict[str, tuple[str, Channel, Callable[[], bytes]]] = {
    "nested lists": ("betterez", Channel.WEBHOOK, lambda: b'{"data":' + b"[" * MIB),
    "nested objects": ("stripe", Channel.WEBHOOK, lambda: b'{"a":' * (MIB // 5)),
    "a million keys": (
        "betterez",
        Channel.WEBHOOK,
        lambda: b"{" + b",".join(b'"%x":0' % number for number in range(100_000)) + b"}",
    ),
    "many small lists": ("stripe", Channel.WEBHOOK, lambda: b'{"id":[' + b"[]," * (MIB // 4) + b"0]}"),
    "a huge number": ("betterez", Channel.WEBHOOK, lambda: b'{"id":' + b"9" * MIB + b"}"),
    "a huge exponent": ("betterez", Channel.WEBHOOK, lambda: b'{"created":1e999999999}'),
    "more values than are read": ("stripe", Channel.FETCH, lambda: b'{"id":[' + b"0," * (VALUES_MAX + 1) + b"0]}"),
    "a quote that is never closed": ("stripe", Channel.FILE, lambda: HEADER + b'\n"' + b"\n" * (4 * MIB)),
    "a file of separators": ("stripe", Channel.FILE, lambda: HEADER + b"\n" + b"," * (4 * MIB)),
    "a file of misfits": ("stripe", Channel.FILE, lambda: HEADER + b"\n" + b"x\n" * (2 * MIB)),
    "a file of empty rows": ("stripe", Channel.FILE, lambda: HEADER + b"\n" + b",,,,,,,,,\n" * (MIB // 30)),
    "a header of a million columns": ("mercadopago", Channel.FILE, lambda: b"A," * MIB + b"\n1\n"),
    "a compressed bomb": (
        "betterez",
        Channel.WEBHOOK,
        lambda: b'{"id":"e1","enc":"gzip","data":"' + b"A" * MIB + b'"}',
    ),
}
"""Name, whose, by which channel, and the bytes."""


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_held_in_little_time_and_memory(name: str) -> None:
    """Asiento holds what is made to unfold, in seconds and within the memory of an instance."""
    provider, channel, made = BOMBS[name]
    target = "GET /v1/charges/ch_1" if channel is Channel.FETCH else f"/{provider}"
    delivery = Delivery("d", provider, channel, ARRIVAL, target, {}, made())
    started_s = process_time()
    tracemalloc.start()
    try:
        assert outcome_of(delivery) in set(Quarantine)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert process_time() - started_s < 5
    assert peak_bytes < 200 * MIB


def test_the_reason_of_a_bomb_is_short() -> None:
    """Asiento's reason for holding a file of which nothing can be read fits into one document of the ledger."""
    delivery = Delivery("d", "stripe", Channel.FILE, ARRIVAL, "x.csv", {}, HEADER + b"\n" + b"x\n" * MIB)
    with pytest.raises(UnreadableError) as held:
        registry.load("stripe").read(delivery)
    assert held.value.reason is Quarantine.ROWS_HELD
    assert len(str(held.value)) < 1_000


def test_a_file_of_too_many_rows_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento reads no more rows of one file than it can hold."""
    monkeypatch.setattr(csv_rows, "ROWS_MAX", 10)
    row = FILES["stripe"].split(b"\n")[1] + b"\n"
    for rows, held in ((10, False), (11, True)):
        body = HEADER + b"\n" + b"".join(row.replace(b"txn_1", b"txn_%d" % number) for number in range(rows))
        outcome = outcome_of(Delivery("d", "stripe", Channel.FILE, ARRIVAL, "x.csv", {}, body))
        assert (outcome == Quarantine.TOO_LARGE.value) is held


def test_values_are_counted_before_they_are_made() -> None:
    """Asiento refuses a body of too many values by its commas and brackets, and reads one that just fits."""
    assert len(parse_value(b"[" + b"0," * (VALUES_MAX - 2) + b"0]")) == VALUES_MAX - 1
    with pytest.raises(UnreadableError) as refused:
        parse_value(b"[" + b"0," * VALUES_MAX + b"0]")
    assert refused.value.reason is Quarantine.TOO_LARGE
