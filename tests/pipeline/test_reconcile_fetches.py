"""Asiento fetches what was asked for, once, and each answer enters as a delivery like any other."""

from datetime import timedelta
from pathlib import Path

import pytest

from shared.domain.deliveries import Channel
from shared.domain.errors import TerminalError, TransientError
from shared.domain.facts import EntityKey, EntityKind, Value
from shared.domain.findings import ExceptionKind
from shared.domain.reconciliation import ReconciliationRun
from shared.domain.settle import Effects, OutboxMessage, Touch
from shared.domain.times import ALL_TIME
from shared.pipeline.reconcile import reconcile
from shared.pipeline.reconciliation.fetches import retry_delay
from shared.ports.provider import Fetched
from tests.pipeline.small_company import NOON, WEEK, Books, Company, body, capabilities, sale, sold, ticket


def fetch(company: Company) -> ReconciliationRun:
    """Run the job as of now."""
    (run,) = reconcile("fetches", company.world, WEEK, company.clock.now())
    return run


def hear_thin(company: Company, *numbers: int) -> None:
    """Hear of events that only point at sales."""
    for number in numbers:
        company.hear(body(f"thin-{company.clock.now().isoformat()}", wants=(sale(number),)))
    company.derive()


def fetched(company: Company) -> list[str]:
    """Return what the provider was asked to fetch."""
    return [call.removeprefix("fetch ") for call in company.books.asked]


def test_thin_event(company: Company) -> None:
    """Asiento asks for what a thin event points at, keeps the answer byte for byte, and derives it."""
    company.books.keep(sale(1), sold(10_000))
    hear_thin(company, 1)
    assert fetch(company).counts == {
        "messages": 1, "fetched": 1, "not_found": 0, "failed": 0, "opened": 0, "closed": 0, "left": 0
    }  # fmt: skip
    (kept,) = (each for each in company.raw.deliveries(ALL_TIME) if each.channel is Channel.FETCH)
    assert (kept.target, kept.body) == ("GET /sale/s0001", company.books.fetch(sale(1)).body)
    company.derive()
    entity = company.ledger.entity(sale(1))
    assert entity is not None
    assert entity.values["total_minor"] == 10_000


def test_many_who_ask_for_one_thing(company: Company) -> None:
    """Asiento fetches once what several events point at."""
    company.books.keep(sale(1), sold())
    company.books.keep(sale(2), sold())
    hear_thin(company, 1, 2, 1, 1)
    run = fetch(company)
    assert (run.counts["messages"], run.counts["fetched"], run.counts["left"]) == (4, 2, 0)
    assert sorted(fetched(company)) == [str(sale(1)), str(sale(2))]
    assert fetch(company).counts["messages"] == 0


def test_more_than_a_batch(company: Company) -> None:
    """Asiento goes on until nothing is due, batch by batch."""
    for number in range(230):
        company.books.keep(sale(number), sold())
    hear_thin(company, *range(230))
    assert fetch(company).counts["fetched"] == 230
    assert company.derive() == 230


def test_provider_down(company: Company) -> None:
    """Asiento keeps asking with growing pauses while a provider is down; the run is failed until one succeeds."""
    company.books.keep(sale(1), sold())
    company.books.outage, company.books.calls_before_outage = TransientError("503"), 0
    hear_thin(company, *range(1, 8))
    run = fetch(company)
    assert (run.has_failed, run.error, run.counts["failed"], run.counts["left"]) == (True, "TransientError: 503", 7, 7)
    assert len(company.books.asked) == 3, "after three failures in a row it is left alone"
    pausing = fetch(company)
    assert (pausing.counts["messages"], pausing.has_failed) == (0, True), "a pause between tries is no success"
    assert company.casebook.status()[0].failing == 2

    company.clock.put_forward(seconds=31)
    assert fetch(company).counts["messages"] == 7
    assert len(company.books.asked) == 3, "it is paused for a minute"
    company.clock.put_forward(seconds=31)
    assert fetch(company).counts["failed"] == 7
    assert len(company.books.asked) == 4, "the trial after the pause is one question"
    company.books.outage = None
    for number in range(2, 8):
        company.books.keep(sale(number), sold())
    company.clock.put_forward(seconds=62)
    assert fetch(company).counts["fetched"] == 0, "the pause has doubled"
    company.clock.put_forward(seconds=60)
    assert fetch(company).counts["fetched"] == 7
    assert company.ledger.outbox_depth() == 0
    assert not company.casebook.status()[0].is_failing


def test_pauses_grow_to_an_hour() -> None:
    """Asiento doubles the pause after each failed try from half a minute, and never waits longer than an hour."""
    assert [retry_delay(attempts) for attempts in (0, 1, 2, 3)] == [timedelta(seconds=30 * 2**n) for n in range(4)]
    assert retry_delay(7) == retry_delay(10**9) == timedelta(hours=1)


def test_unknown_to_the_provider(company: Company) -> None:
    """Asiento stops asking for what the provider does not know, and tells people until it is heard of."""
    hear_thin(company, 1)
    run = fetch(company)
    assert (run.has_failed, run.counts["not_found"], run.counts["opened"], run.counts["left"]) == (False, 1, 1, 0)
    (exception,) = company.casebook.exceptions()
    assert (exception.kind, exception.subject, exception.owner) == (ExceptionKind.NOT_FOUND, str(sale(1)), "finance")
    fetch(company)
    assert list(company.casebook.exceptions())
    company.tell(1, sold())
    assert fetch(company).counts["closed"] == 1
    assert not list(company.casebook.exceptions())
    (closed,) = company.casebook.exceptions(is_open=False)
    assert closed.closed_at is not None


def test_known_after_all(company: Company) -> None:
    """Asiento closes the exception of what the provider did not know once it answers."""
    company.tell(1, sold())
    hear_thin(company, 1)
    assert fetch(company).counts["opened"] == 1
    assert str(next(company.casebook.exceptions()).at_risk) == "ARS 100.00"
    company.books.keep(sale(1), sold())
    hear_thin(company, 1)
    assert fetch(company).counts["closed"] == 1


def test_money_at_risk_of_what_nobody_knows(company: Company) -> None:
    """Asiento says what is at risk where a provider does not know a sale: what its tickets amount to."""
    fare: dict[str, Value] = {"fare_minor": 10_000, "currency": "ARS", "sale": str(sale(1))}
    company.hear(body("e1", (ticket(1), 1, fare), (ticket(2), 1, fare), wants=(sale(1),)))
    company.derive()
    fetch(company)
    assert str(next(company.casebook.exceptions()).at_risk) == "ARS 200.00"


@pytest.mark.parametrize("is_configured", [True, False])
def test_what_cannot_be_asked(company: Company, *, is_configured: bool) -> None:
    """Asiento holds what it cannot ask for, tells the engineers, and asks again by itself when that is mended."""
    tiny = company.counterparties["tiny"]
    if is_configured:
        company.books.outage, company.books.calls_before_outage = TerminalError("403: this key may not read"), 0
    else:
        del company.counterparties["tiny"]
    hear_thin(company, 1)
    run = fetch(company)
    assert (run.has_failed, run.counts["failed"], run.counts["left"]) == (True, 1, 1)
    (exception,) = company.casebook.exceptions()
    assert (exception.kind, exception.owner) == (ExceptionKind.FETCH_REFUSED, "engineering")
    assert ("403" if is_configured else "address and credentials") in exception.evidence["error"]
    company.counterparties["tiny"] = tiny
    company.books.outage = None
    company.books.keep(sale(1), sold())
    company.clock.put_forward(minutes=1)
    run = fetch(company)
    assert (run.has_failed, run.counts["fetched"], run.counts["closed"]) == (False, 1, 1)


def test_wrong_credentials_are_not_tried_on_everything(company: Company) -> None:
    """Asiento leaves a provider alone that refuses one fetch after another, and tells the engineers thrice."""
    company.books.outage, company.books.calls_before_outage = TerminalError("401: not accepted"), 0
    hear_thin(company, *range(100))
    assert fetch(company).counts["failed"] == 100
    assert len(company.books.asked) == len(list(company.casebook.exceptions())) == 3


def test_one_bad_thing_does_not_block_its_neighbours(tmp_path: Path) -> None:
    """Asiento fetches the others where one fetch fails."""
    company = Company(tmp_path, capabilities())
    for number in (1, 2, 3):
        company.books.keep(sale(number), sold())
    company.books.calls_before_outage, company.books.outage = 1, TransientError("broken page")
    hear_thin(company, 1, 2)
    assert (fetch(company).counts["fetched"], company.ledger.outbox_depth()) == (1, 1)
    company.books.outage = None
    hear_thin(company, 3)
    assert fetch(company).counts["fetched"] == 1
    company.clock.put_forward(minutes=1)
    assert fetch(company).counts["fetched"] == 1
    company.close()


def test_time_is_bounded(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento ends a run that has lasted long and leaves the rest, due at once, to the next."""
    for number in range(150):
        company.books.keep(sale(number), sold())
    hear_thin(company, *range(150))
    fetch_at_once = company.books.fetch

    def fetch_slowly(_books: Books, key: EntityKey) -> Fetched:
        company.clock.put_forward(seconds=10)
        return fetch_at_once(key)

    monkeypatch.setattr(Books, "fetch", fetch_slowly)
    assert fetch(company).counts["left"] == 50
    assert fetch(company).counts["left"] == 0


def test_died_before_the_outbox_was_settled(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento fetches again where it died after keeping an answer; the ledger takes it once."""
    company.books.keep(sale(1), sold())
    hear_thin(company, 1)
    with monkeypatch.context() as patch:
        patch.setattr(type(company.ledger), "outbox_done", lambda *_: _die())
        with pytest.raises(KeyboardInterrupt):
            fetch(company)
    assert fetch(company).counts["fetched"] == 1
    company.derive()
    counts = {outcome.value: number for outcome, number in company.ledger.outcome_counts().items()}
    assert counts == {"applied": 2, "duplicate": 1}


def test_defect_of_ours_is_recorded_and_goes_on(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento records a run that ended in a defect as failed, by its class alone, and lets the error go on."""
    hear_thin(company, 1)
    monkeypatch.setattr(Books, "fetch", lambda *_: _defect())
    with pytest.raises(KeyError):
        fetch(company)
    (run,) = company.casebook.runs("fetches")
    assert run.has_failed
    assert run.error.startswith("KeyError:")
    assert "Pérez" not in run.error


def test_message_that_nothing_carries(company: Company) -> None:
    """Asiento fails loudly on an outbox message of a topic that no job carries."""
    message = OutboxMessage("m1", "mail", EntityKey(EntityKind.SALE, "tiny", "s1"), "?", 0)
    nothing = Touch(frozenset(), frozenset(), frozenset())
    company.ledger.transact(nothing, lambda _: Effects(outbox=[message]))
    run = fetch(company)
    assert run.error == "TerminalError: outbox message m1 is for 'mail', which nothing carries"
    assert run.started_at > NOON


def _die() -> None:
    raise KeyboardInterrupt


def _defect() -> None:
    raise KeyError("Ana Pérez")
