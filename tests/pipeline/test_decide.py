"""Asiento takes a person's decision as a signed delivery, and closes what it settles for as long as it is about the same."""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from shared.adapters.embedded.ledger_store import SqliteLedgerStore
from shared.adapters.embedded.secrets import EnvironmentSecrets
from shared.domain.caseload import State, state_of
from shared.domain.decisions import Choice, decision_key, decision_of
from shared.domain.deliveries import OPERATOR, Channel
from shared.domain.errors import NotFoundError, Refusal, RefusedError, SettingsError, TerminalError, UnreadableError
from shared.domain.facts import EntityKey, EntityKind
from shared.domain.findings import ExceptionKind, FinanceException
from shared.domain.outcomes import Outcome
from shared.domain.times import ALL_TIME, to_ms
from shared.pipeline.decide import Deciding, Wish, decide, take
from shared.pipeline.derive import Deriving, replay
from shared.pipeline.reconcile import reconcile
from shared.pipeline.state_hash import state_hash
from shared.pipeline.verification.findings import Area, Findings
from shared.pipeline.verification.signatures import check_signature
from shared.providers.operator.signature import sign
from shared.providers.toolkit import registry
from tests.pipeline.small_company import NOON, WEEK, Company, body, sale, sold, ticket

SECRET = "kept in a vault"
SEED = 20


def deciding(company: Company, secret: str = SECRET) -> Deciding:
    """Return what deciding needs, on the company's stores."""
    return Deciding(
        operator=registry.load(OPERATOR),
        sign=sign,
        secrets=EnvironmentSecrets({"ASIENTO_SECRET_OPERATOR_WEBHOOK": secret}),
        casebook=company.casebook,
        ledger=company.ledger,
        raw=company.raw,
        bus=company.bus,
        new_delivery_id=company.new_id,
    )


def sweep(company: Company) -> Mapping[str, int]:
    """Run the job that opens and closes exceptions; return its counts."""
    return reconcile("exceptions", company.world, WEEK, company.clock.now())[-1].counts


def one_open(company: Company, kind: ExceptionKind) -> FinanceException:
    """Return the open exception of a kind."""
    (found,) = company.casebook.exceptions(kinds=[kind])
    return found


def wish(exception: FinanceException, choice: Choice = Choice.ACCEPT, **given: str) -> Wish:
    """Return what somebody wants to decide about an exception."""
    return Wish(
        exception.exception_id[:8], choice, given.pop("reason", "seen at the bank"), given.pop("by", "mlopez"), **given
    )


def decide_now(company: Company, wanted: Wish) -> None:
    """Decide, and have it derived and noted."""
    decide(wanted, deciding(company), company.clock.now())
    company.derive()
    sweep(company)


@pytest.fixture
def disputed(company: Company) -> Company:
    """A company that was told two fares of one ticket."""
    company.hear(body("e1", (ticket(1), 1, {"fare_minor": 5_000, "currency": "ARS"})))
    company.hear(body("e2", (ticket(1), 2, {"fare_minor": 5_250, "currency": "ARS"})))
    company.derive()
    sweep(company)
    return company


@pytest.mark.parametrize("choice", [Choice.ACCEPT, Choice.WRITE_OFF])
def test_settles_an_exception_until_it_shows_something_else(disputed: Company, choice: Choice) -> None:
    """Asiento closes what is accepted or written off, says who, when and why, and opens it again for another amount only."""
    exception = one_open(disputed, ExceptionKind.CONFLICTING_ENTITY)
    decide_now(disputed, wish(exception, choice))
    assert not list(disputed.casebook.exceptions(kinds=[exception.kind]))
    (settled,) = disputed.casebook.exceptions(kinds=[exception.kind], is_open=False)
    assert settled.decision is not None
    assert state_of(settled) is State.DECIDED
    assert (settled.decision.choice, settled.decision.decided_by) == (choice, "mlopez")
    assert (settled.decision.reason, str(settled.decision.at_risk)) == ("seen at the bank", "ARS 2.50")
    for _ in range(2):
        disputed.clock.put_forward(hours=1)
        assert sweep(disputed)["opened"] == 0

    disputed.hear(body("e3", (ticket(1), 3, {"fare_minor": 9_000, "currency": "ARS"})))
    disputed.derive()
    sweep(disputed)
    again = one_open(disputed, ExceptionKind.CONFLICTING_ENTITY)
    assert again.exception_id == exception.exception_id
    assert (str(again.at_risk), again.is_decided_otherwise) == ("ARS 40.00", True)
    assert again.decision == settled.decision


def test_a_replay_decides_the_same(disputed: Company, tmp_path: Path) -> None:
    """Asiento replays decisions from the raw bytes into the same ledger, whatever the order (I3, I8)."""
    exception = one_open(disputed, ExceptionKind.CONFLICTING_ENTITY)
    other = one_open(disputed, ExceptionKind.CONFLICTING_DELIVERY)
    decide_now(disputed, wish(exception, Choice.ASSIGN, assigned_to="Ana"))
    decide_now(disputed, wish(other, Choice.WRITE_OFF))
    decide_now(disputed, wish(exception, Choice.CORRECT, field="seat", value="12A"))
    decide_now(disputed, wish(exception, Choice.CORRECT, field="seat", value="07C"))
    decide_now(disputed, wish(exception))
    told = state_hash(disputed.ledger.entities())
    entity = disputed.ledger.entity(ticket(1))
    assert entity is not None
    assert entity.values["seat"] == "07C"
    deliveries = list(disputed.raw.deliveries(ALL_TIME))
    assert [each.channel for each in deliveries].count(Channel.MANUAL) == 5
    print(f"seed {SEED}")  # noqa: T201  shown with a failure
    random = Random(SEED)  # noqa: S311  a seeded test, no secret
    readers = {"tiny": disputed.provider, OPERATOR: registry.load(OPERATOR)}
    for attempt in range(8):
        random.shuffle(deliveries)
        ledger = SqliteLedgerStore(tmp_path / f"again-{attempt}.db")
        list(replay(deliveries, Deriving(readers, disputed.raw, ledger, "test"), NOON, batch_size=3))
        assert state_hash(ledger.entities()) == told
        ledger.close()


def test_the_latest_of_concurrent_decisions_stands(disputed: Company) -> None:
    """Asiento keeps every decision as a fact and lets the one that was made last stand, in whatever order they are derived."""
    exception = one_open(disputed, ExceptionKind.CONFLICTING_ENTITY)
    world, start = deciding(disputed), disputed.clock.now()
    choices = [Choice.ACCEPT, Choice.WRITE_OFF] * 4

    def made(place: int) -> None:
        decide(wish(exception, choices[place], by=f"clerk{place}"), world, start - timedelta(seconds=place))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(made, range(8)))
    disputed.derive()
    entity = disputed.ledger.entity(decision_key(exception.exception_id))
    assert entity is not None
    standing = decision_of(entity)
    assert (standing.choice, standing.decided_by) == (Choice.ACCEPT, "clerk0")
    assert len(disputed.ledger.facts(entity.key)) == 8
    assert not entity.has_conflict
    sweep(disputed)
    (settled,) = disputed.casebook.exceptions(kinds=[exception.kind], is_open=False)
    assert settled.decision == standing


def test_nothing_unsigned_enters(disputed: Company) -> None:
    """Asiento keeps no decision that is unsigned, forged, changed, old, or not whole (I12)."""
    exception = one_open(disputed, ExceptionKind.CONFLICTING_ENTITY)
    _, delivery = decide(wish(exception), deciding(disputed), NOON)
    world, kept = deciding(disputed), len(list(disputed.raw.names(ALL_TIME)))
    good = delivery.body
    refused: list[tuple[bytes, Mapping[str, str], datetime, Refusal]] = [
        (good, {}, NOON, Refusal.SIGNATURE_MISSING),
        (good, sign(good, "guessed", NOON), NOON, Refusal.SIGNATURE_WRONG),
        (good.replace(b"mlopez", b"mallor"), sign(good, SECRET, NOON), NOON, Refusal.SIGNATURE_WRONG),
        (good, sign(good, SECRET, NOON), NOON + timedelta(hours=1), Refusal.SIGNATURE_STALE),
    ]
    for content, headers, now, why in refused:
        with pytest.raises(RefusedError) as refusal:
            take(content, headers, world, now)
        assert refusal.value.refusal is why
    for changes in (
        {"reason": ""},
        {"decision": "forgive"},
        {"decided_by": "María López"},
        {"decision": "assign"},
        {
            "correction": {
                "key": str(ticket(1)),
                "field": "fare_minor",
                "value": 1,
                "version_at_ms": 1,
                "version_step": 0,
            }
        },
        {"type": "decision.unmade"},
    ):
        content = json.dumps({**json.loads(good), **changes}).encode()
        with pytest.raises(UnreadableError):
            take(content, sign(content, SECRET, NOON), world, NOON)
    with pytest.raises(SettingsError, match="no secret operator-webhook"):
        decide(wish(exception), deciding(disputed, secret=""), NOON)
    assert len(list(disputed.raw.names(ALL_TIME))) == kept


def test_the_same_signed_decision_twice_is_one(disputed: Company) -> None:
    """Asiento takes a decision that is posted again for the duplicate that it is."""
    exception = one_open(disputed, ExceptionKind.CONFLICTING_ENTITY)
    _, first = decide(wish(exception), deciding(disputed), NOON)
    again = take(first.body, first.headers, deciding(disputed), NOON)
    disputed.derive()
    outcomes = [disputed.ledger.verdict(each.delivery_id) for each in (first, again)]
    assert [each.outcome for each in outcomes if each] == [Outcome.APPLIED, Outcome.DUPLICATE]


def test_its_signature_is_checked_again(disputed: Company) -> None:
    """Asiento checks the signature of a kept decision as it checks a webhook's, and sees one changed byte."""
    _, delivery = decide(wish(one_open(disputed, ExceptionKind.CONFLICTING_ENTITY)), deciding(disputed), NOON)
    readers, secrets = {OPERATOR: registry.load(OPERATOR)}, deciding(disputed).secrets
    kept = disputed.raw.read(delivery.object_name)
    for held, differing in ((kept, 0), (replace(kept, body=kept.body.replace(b"accept", b"reject")), 1)):
        found = Findings(Area.SIGNATURES)
        check_signature(held, readers, secrets, found, is_attested=False)
        assert (found.checked, found.differing) == (1, differing)


def test_assigning_gives_an_owner_by_name(disputed: Company) -> None:
    """Asiento leaves an assigned exception open, with its owner's name, which stays when something else is decided."""
    exception = one_open(disputed, ExceptionKind.CONFLICTING_ENTITY)
    decide_now(disputed, wish(exception, Choice.ASSIGN, assigned_to="Ana García"))
    assert one_open(disputed, exception.kind).assigned_to == "Ana García"
    decide_now(disputed, wish(exception, Choice.WRITE_OFF))
    (settled,) = disputed.casebook.exceptions(kinds=[exception.kind], is_open=False)
    assert settled.assigned_to == "Ana García"


def test_an_assignment_takes_an_acceptance_back(disputed: Company) -> None:
    """Asiento opens an accepted exception again when a later decision only assigns it."""
    exception = one_open(disputed, ExceptionKind.CONFLICTING_ENTITY)
    accepted_at = disputed.clock.now()
    decide(wish(exception, Choice.ASSIGN, assigned_to="Ana"), deciding(disputed), accepted_at + timedelta(minutes=1))
    decide(wish(exception), deciding(disputed), accepted_at)
    disputed.derive()
    sweep(disputed)
    assert one_open(disputed, exception.kind).assigned_to == "Ana"


def described(company: Company, key: EntityKey) -> dict[str, Any]:
    """Return what the ledger says of an entity."""
    entity = company.ledger.entity(key)
    assert entity is not None
    return entity.values


def test_a_correction_outranks_its_version_and_no_later_one(company: Company) -> None:
    """Asiento lets a person's link stand over all that was said of that version, and a provider that speaks later over it."""
    wrong, right = str(sale(1)), str(sale(2))
    company.hear(body("s2", (sale(2), 1, sold())))
    company.hear(body("e1", (ticket(1), 5, {"sale": wrong, "fare_minor": 100, "currency": "ARS"})))
    company.derive()
    company.clock.put_forward(hours=30)
    reconcile("awaited", company.world, WEEK, company.clock.now())
    exception = one_open(company, ExceptionKind.UNLINKED)
    assert exception.subject == wrong
    decide_now(company, wish(exception, Choice.CORRECT, field="sale", value=right, entity=str(ticket(1))))
    assert described(company, ticket(1))["sale"] == right

    company.hear(body("same version", (ticket(1), 5, {"sale": wrong})))
    company.derive()
    assert described(company, ticket(1))["sale"] == right
    reconcile("awaited", company.world, WEEK, company.clock.now())
    assert not list(company.casebook.exceptions(kinds=[ExceptionKind.UNLINKED]))

    company.hear(body("later", (ticket(1), 6, {"sale": wrong})))
    company.derive()
    assert described(company, ticket(1))["sale"] == wrong
    reconcile("awaited", company.world, WEEK, company.clock.now())
    assert one_open(company, ExceptionKind.UNLINKED).exception_id == exception.exception_id


def test_nobody_is_asked_for_what_nothing_points_at_any_more(company: Company) -> None:
    """Asiento stops asking for what a correction took the last pointer from, and closes that it was not found."""
    company.hear(body("s2", (sale(2), 1, sold())))
    company.hear(body("e1", (ticket(1), 5, {"sale": str(sale(1)), "fare_minor": 100, "currency": "ARS"})))
    company.derive()
    company.clock.put_forward(hours=30)
    for job in ("awaited", "fetches"):
        reconcile(job, company.world, WEEK, company.clock.now())
    exception = one_open(company, ExceptionKind.NOT_FOUND)
    asked = len(company.books.asked)
    decide_now(company, wish(exception, Choice.CORRECT, field="sale", value=str(sale(2)), entity=str(ticket(1))))
    for job in ("awaited", "fetches"):
        reconcile(job, company.world, WEEK, company.clock.put_forward(hours=2))
    assert len(company.books.asked) == asked
    assert not list(company.casebook.exceptions())


def test_one_case_is_decided_once(company: Company) -> None:
    """Asiento does not tell of what was accepted as not found a second time as unlinked, or as a lasting difference."""
    company.hear(body("e1", (ticket(1), 5, {"sale": str(sale(1)), "fare_minor": 100, "currency": "ARS"})))
    company.tell(3, sold())
    company.clock.put_forward(hours=30)
    for job in ("awaited", "transactions", "fetches"):
        reconcile(job, company.world, WEEK, company.clock.now())
    absent = list(company.casebook.exceptions(kinds=[ExceptionKind.NOT_FOUND]))
    assert [each.subject for each in absent] == [str(sale(1)), str(sale(3))]
    for exception in absent:
        decide_now(company, wish(exception))
    company.clock.put_forward(hours=30)
    for job in ("awaited", "transactions", "fetches", "exceptions"):
        reconcile(job, company.world, WEEK, company.clock.now())
    assert [str(each.mismatch.key) for each in company.casebook.open_differences()] == [str(sale(3))]
    assert not list(company.casebook.exceptions())


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("fare_minor", "1", "is money, and money is only what a provider says: have it corrected there"),
        ("taxes_minor", "1", "is money"),
        ("currency", "USD", "is money"),
        ("business_unit", "north", "may never change under one identity"),
        ("colour", "red", "has no field 'colour'; it may be one of sale, changed_from, refund, "),
        ("boarded_at_ms", "noon", "is int, not str"),
        ("sale", "65f0c2", "points at a sale: give its whole key, sale:<provider>:<id>"),
        ("sale", "ticket:tiny:1", "points at a sale"),
    ],
)
def test_what_may_not_be_corrected_is_refused_with_the_mend(
    disputed: Company, field: str, value: str, says: str
) -> None:
    """Asiento refuses to correct money, identities and nonsense, and says what to do instead."""
    exception = one_open(disputed, ExceptionKind.CONFLICTING_ENTITY)
    kept = len(list(disputed.raw.names(ALL_TIME)))
    with pytest.raises(TerminalError) as refused:
        decide(wish(exception, Choice.CORRECT, field=field, value=value), deciding(disputed), NOON)
    assert says in str(refused.value)
    assert len(list(disputed.raw.names(ALL_TIME))) == kept


def test_what_cannot_be_decided_is_refused_with_the_mend(disputed: Company) -> None:
    """Asiento names what is missing: an exception that is open and one, an entity that it is about, a person and a reason."""
    exception = one_open(disputed, ExceptionKind.CONFLICTING_ENTITY)
    delivery = one_open(disputed, ExceptionKind.CONFLICTING_DELIVERY)
    good = wish(exception)
    for wanted, error, says in (
        (replace(good, exception_id="f" * 64), NotFoundError, "no open exception begins with"),
        (replace(good, exception_id="%"), TerminalError, "give at least 4 of the hex digits"),
        (replace(good, decided_by="María"), TerminalError, "given by a login"),
        (replace(good, reason="\n"), TerminalError, "needs a reason"),
        (replace(good, choice=Choice.ASSIGN), TerminalError, "takes a name"),
        (wish(exception, Choice.CORRECT, field="seat", value="1", entity=str(sale(9))), TerminalError, "neither"),
        (wish(delivery, Choice.CORRECT, field="seat", value="1"), TerminalError, "about delivery"),
    ):
        with pytest.raises(error, match=says):
            decide(wanted, deciding(disputed), NOON)
    assert not list(disputed.ledger.entities(EntityKind.DECISION))


def test_a_decision_made_long_ago_is_of_its_moment(disputed: Company) -> None:
    """Asiento states a decision as of the moment at which it was made."""
    exception = one_open(disputed, ExceptionKind.CONFLICTING_ENTITY)
    decide(wish(exception), deciding(disputed), NOON)
    disputed.derive()
    (entity,) = disputed.ledger.occurred(EntityKind.DECISION, OPERATOR, WEEK)
    assert (entity.occurred_at_ms, entity.version_at_ms) == (to_ms(NOON), to_ms(NOON))
