"""Derive holds each delivery against its pinned contract: what may be misread is held, what is merely new is not."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog
import zstandard

from local.simulator import Season
from shared.adapters.embedded.ledger_store import SqliteLedgerStore
from shared.adapters.embedded.raw_store import SqliteRawStore
from shared.contracts import holding as module
from shared.contracts.holding import Holding
from shared.contracts.observation import Departure, DepartureKind
from shared.contracts.policy import Treatment, rule_for
from shared.domain.deliveries import Channel, Delivery
from shared.domain.errors import Quarantine, UnreadableError
from shared.domain.outcomes import Outcome
from shared.pipeline.derive import Deriving, derive_deliveries
from shared.providers import betterez
from shared.providers.toolkit.compression import opened_object

NOW = datetime(2026, 7, 1, tzinfo=UTC)
Body = dict[str, Any]


@pytest.fixture(scope="module")
def ticket(season: Season) -> Body:
    """Return one event that tells of a ticket."""
    return next(json.loads(each.body) for each in season.emissions() if each.event_type == "ticket.created")


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> structlog.testing.CapturingLogger:
    """Return what holding writes into its log, whatever level other tests have set."""
    captured = structlog.testing.CapturingLogger()
    monkeypatch.setattr(module, "log", captured)
    return captured


@pytest.fixture
def holding() -> Holding:
    """Hold against the pinned contracts."""
    return Holding(opened_object)


def delivery(
    body: Body, channel: Channel = Channel.WEBHOOK, target: str = "/betterez", provider: str = "betterez"
) -> Delivery:
    """Return a delivery of a body."""
    return Delivery(f"d-{body.get('id')}", provider, channel, NOW, target, {}, json.dumps(body).encode())


def changed(ticket: Body, change: Callable[[Body], object]) -> Body:
    """Return the event with its ticket changed."""
    body: Body = json.loads(json.dumps(ticket))
    change(body["data"])
    return body


def test_what_keeps_to_the_contract_is_not_opened(ticket: Body) -> None:
    """Asiento holds a known shape by its compiled form alone: nothing is parsed a second time."""
    Holding(_never).hold(delivery(ticket), "ticket.created")


def _never(_body: bytes) -> Body:
    pytest.fail("the long way was taken")


@pytest.mark.parametrize(
    ("change", "reason", "field"),
    [
        (lambda data: data.update(total=5.5), Quarantine.STOPPED_BY_CONTRACT, "data.total: changed type, number"),
        (lambda data: data.update(total="5"), Quarantine.STOPPED_BY_CONTRACT, "data.total: changed type, string"),
        (lambda data: data.update(total=-5), Quarantine.STOPPED_BY_CONTRACT, "data.total: changed sign, negative"),
        (lambda data: data.update(status="upgraded"), Quarantine.OFF_CONTRACT, 'data.status: new value, "upgraded"'),
    ],
)
def test_holds_what_may_be_misread(
    holding: Holding, ticket: Body, change: Callable[[Body], object], reason: Quarantine, field: str
) -> None:
    """Asiento stops on an amount that is written otherwise and quarantines a new word of an enumeration, by name."""
    with pytest.raises(UnreadableError, match=field) as held:
        holding.hold(delivery(changed(ticket, change)), "ticket.created")
    assert held.value.reason is reason


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.update(loyaltyPoints=5),
        lambda data: data.update(firstName={"given": "x"}),
    ],
    ids=["a new field", "a personal field"],
)
def test_accepts_what_is_merely_new_and_notes_it_once(
    holding: Holding, log: structlog.testing.CapturingLogger, ticket: Body, change: Callable[[Body], object]
) -> None:
    """Asiento reads on where a field is new or about a person, and writes a line about each the first time only."""
    event = delivery(changed(ticket, change))
    for _ in range(3):
        holding.hold(event, "ticket.created")
    (call,) = log.calls
    assert (call.args, call.kwargs["treatment"]) == (("departure from the contract",), "accepted")
    assert "given" not in str(call)


def test_a_new_field_is_looked_at_the_long_way_once(ticket: Body) -> None:
    """Asiento knows a field that it accepted as new, so that a provider's new field does not slow every delivery after it."""
    opened: list[bytes] = []

    def counting(body: bytes) -> Any:
        opened.append(body)
        return opened_object(body)

    holding = Holding(counting)
    inside = changed(ticket, lambda data: (data.update(weight=7), data["taxes"][0].update(code="A")))
    for _ in range(3):
        holding.hold(delivery(inside), "ticket.created")
    assert len(opened) == 1
    with pytest.raises(UnreadableError, match=Quarantine.STOPPED_BY_CONTRACT.value):
        holding.hold(delivery(changed(inside, lambda data: data.update(total="5"))), "ticket.created")
    for number in range(3 * module.LEARNED_MAX):
        made_up: Body = {**ticket, "data": {**ticket["data"], f"made{number}": number}}
        holding.hold(delivery(made_up), "ticket.created")
    assert len(holding._pins["betterez"]._learned["webhook ticket.created"]) == module.LEARNED_MAX  # type: ignore[union-attr]  # it is pinned


def test_what_was_only_assumed_and_holds_no_money_is_accepted() -> None:
    """Asiento blames no provider for an assumption of ours, unless an amount stands there or a word is new."""
    assumed = Departure(DepartureKind.CHANGED_TYPE, "data.x", "string", "integer", certainty="assumed")
    assert rule_for(assumed).treatment is Treatment.ACCEPTED
    money = Departure(DepartureKind.CHANGED_TYPE, "data.x", "integer", "null", is_money=True, certainty="assumed")
    assert rule_for(money).treatment is Treatment.QUARANTINED
    word = Departure(DepartureKind.NEW_VALUE, "data.x", '"a"', '"b"', certainty="assumed")
    assert rule_for(word).treatment is Treatment.QUARANTINED


def test_looks_inside_what_is_compressed(holding: Holding, ticket: Body) -> None:
    """Asiento opens compressed content before it calls it unchanged."""
    import base64  # noqa: PLC0415  for this one case

    def packed(body: Body) -> Body:
        data = base64.b64encode(zstandard.compress(json.dumps(body["data"]).encode())).decode()
        return {**body, "enc": "zstd", "data": data}

    holding.hold(delivery(packed(ticket)), "ticket.created")
    with pytest.raises(UnreadableError, match=r"data\.total"):
        holding.hold(delivery(packed(changed(ticket, lambda data: data.update(total=5.5)))), "ticket.created")


def test_leaves_alone_what_no_contract_describes(holding: Holding) -> None:
    """Asiento holds nothing against a contract that there is not: another provider, a file, a call that is not described."""
    odd: Body = {"id": "1", "anything": 1.5}
    holding.hold(delivery(odd, provider="stripe"), "charge.succeeded")
    holding.hold(delivery(odd, Channel.FILE), "report")
    holding.hold(delivery(odd, Channel.FETCH, "GET /operations/unheard-of/1"), "fetch.sale")
    holding.hold(delivery(odd), "ticket.burnt")


def test_holds_answers_of_the_api_too(holding: Holding) -> None:
    """Asiento holds what it fetched against the answer that the contract describes."""
    shift: Body = {"shift": {"_id": "a" * 24, "closed": "yes"}}
    with pytest.raises(UnreadableError, match=r"GET /accounts/shifts/\{\} departs"):
        holding.hold(delivery(shift, Channel.FETCH, f"GET /accounts/shifts/{'a' * 24}"), "fetch.shift")


def test_names_a_few_departures_and_counts_the_rest(
    holding: Holding, log: structlog.testing.CapturingLogger, ticket: Body, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asiento keeps reasons short, and its log bounded however many fields a sender makes up."""
    monkeypatch.setattr(module, "NOTED_MAX", 2)
    many = changed(
        ticket, lambda data: data.update(total=5.5, **dict.fromkeys(("price", "discounts", "subTotal"), "x"))
    )
    with pytest.raises(UnreadableError, match="and 1 more") as held:
        holding.hold(delivery(many), "ticket.created")
    assert held.value.detail.count("data.") == module.SHOWN_MAX
    assert len(log.calls) == 2


@pytest.fixture
def world(tmp_path: Path, holding: Holding) -> Iterator[Deriving]:
    """Derive into an empty ledger, under the contract."""
    with (
        closing(SqliteLedgerStore(tmp_path / "ledger.db")) as ledger,
        closing(SqliteRawStore(tmp_path / "raw.db")) as raw,
    ):
        yield Deriving({"betterez": betterez.PROVIDER}, raw, ledger, "test", holding)


def test_derive_quarantines_what_the_contract_holds_and_a_replay_without_it_applies(
    world: Deriving, ticket: Body
) -> None:
    """Asiento keeps what its contract holds out of the ledger, names it, and takes it in once the contract is mended."""
    event = delivery(changed(ticket, lambda data: data.update(accountNumber=5, status="upgraded")))
    plain = delivery(ticket)
    (held,) = derive_deliveries([event], world, NOW)
    assert held.outcome is Outcome.QUARANTINED
    assert list(world.ledger.entities()) == []
    (applied,) = derive_deliveries([plain], world, NOW, is_replay=True)
    assert applied.outcome is Outcome.APPLIED


def test_the_readers_own_reason_comes_first(world: Deriving, ticket: Body) -> None:
    """Asiento names what its reader cannot read before what its contract does not know."""
    (verdict,) = derive_deliveries([delivery({**ticket, "event": "ticket.burnt"})], world, NOW)
    assert verdict.reason.startswith("unknown_event_type")
