"""Asiento hands people what needs a person, and takes it back when its cause is gone."""

from dataclasses import replace
from datetime import timedelta

from shared.domain.findings import ExceptionKind
from shared.domain.reconciliation import ReconciliationRun
from shared.domain.times import ALL_TIME
from shared.pipeline.derive import Deriving, derive_deliveries
from shared.pipeline.reconcile import reconcile
from tests.pipeline.small_company import NOON, WEEK, Company, body, read, sale, sold, ticket


def run_job(company: Company, name: str = "exceptions") -> ReconciliationRun:
    """Run a job as of now; of several runs, return the last."""
    return reconcile(name, company.world, WEEK, company.clock.now())[-1]


def test_conflict_shows_what_is_in_question(company: Company) -> None:
    """Asiento shows an amount that changed under one identity: both statements, and what they differ by."""
    company.hear(body("e1", (ticket(1), 1, {"fare_minor": 5_000, "currency": "ARS"})))
    company.hear(body("e2", (ticket(1), 2, {"fare_minor": 5_250, "currency": "ARS"})))
    company.derive()
    assert run_job(company).counts == {"exceptions": 2, "opened": 2, "closed": 0, "decisions": 0, "settled": 0}
    (entity,) = company.casebook.exceptions(kinds=[ExceptionKind.CONFLICTING_ENTITY])
    assert (entity.subject, str(entity.at_risk)) == (str(ticket(1)), "ARS 2.50")
    assert entity.evidence == {"fare_minor": "5000 or 5250"}
    (delivery,) = company.casebook.exceptions(kinds=[ExceptionKind.CONFLICTING_DELIVERY])
    assert "was said to be" in delivery.evidence["reason"]
    assert run_job(company).counts == {"exceptions": 2, "opened": 0, "closed": 0, "decisions": 0, "settled": 0}


def test_event_with_two_contents(company: Company) -> None:
    """Asiento shows an event that came with two contents, and puts the whole amount of its entity at risk."""
    company.hear(body("e1", (sale(1), 1, sold(10_000))))
    company.hear(body("e1", (sale(1), 1, sold(10_000, status="reversed"))))
    company.derive()
    run_job(company)
    (entity,) = company.casebook.exceptions(kinds=[ExceptionKind.CONFLICTING_ENTITY])
    assert entity.evidence == {"events_with_two_contents": "tiny:e1"}
    assert str(entity.at_risk) == "ARS 100.00"


def test_unread_delivery_closes_when_replayed(company: Company) -> None:
    """Asiento lists a quarantined delivery with its reason until a replay reads it."""
    delivery_id = company.hear(b"no json")
    company.hear(b'{"id": "e9", "facts": [{"key": "sale:tiny:s1", "version": 1, "values": {"oops": 1}}], "wants": []}')
    company.derive()
    run_job(company)
    kinds = {each.kind: each for each in company.casebook.exceptions()}
    assert set(kinds) == {ExceptionKind.QUARANTINED_DELIVERY, ExceptionKind.FAILED_DELIVERY}
    quarantined = kinds[ExceptionKind.QUARANTINED_DELIVERY]
    assert (quarantined.subject, quarantined.provider, quarantined.owner) == (delivery_id, "tiny", "engineering")
    assert quarantined.evidence["reason"] == "malformed_json: the body is no JSON"
    assert quarantined.suggested_fix.endswith("then replay it")

    (failed,) = (each for each in company.raw.deliveries(ALL_TIME) if each.body != b"no json")
    mended = replace(company.provider, read=lambda _: read(replace(failed, body=body("e9", (sale(1), 1, sold())))))
    deriving = Deriving({"tiny": mended}, company.raw, company.ledger, "mended")
    derive_deliveries([failed], deriving, company.clock.now(), is_replay=True)
    assert run_job(company).counts["closed"] == 1
    assert [each.kind for each in company.casebook.exceptions()] == [ExceptionKind.QUARANTINED_DELIVERY]


def test_lasting_difference(company: Company) -> None:
    """Asiento tells finance of a difference only when a day of fetching has not mended it, and until it is closed."""
    company.tell(1, sold(10_000))
    company.books.keep(sale(1), sold(10_700))
    company.books.hidden.add(sale(1))
    company.books.keep(sale(2), sold(9_000, status="reversed"))
    company.tell(2, sold(9_000))
    run_job(company, "transactions")
    assert run_job(company).counts["exceptions"] == 0
    company.clock.put_forward(hours=25)
    assert run_job(company).counts["exceptions"] == 2
    at_risk = {each.subject: str(each.at_risk) for each in company.casebook.exceptions()}
    assert at_risk == {
        "sale:tiny:s0001 missing_at_provider": "ARS 100.00",
        "sale:tiny:s0002 status_differs": "ARS 90.00",
    }
    (missing,) = (each for each in company.casebook.exceptions() if "missing" in each.subject)
    assert missing.evidence["provider"] == "absent"
    assert missing.evidence["ledger"] == "10000 minor units of ARS; status paid"
    company.books.hidden.clear()
    company.books.keep(sale(1), sold(10_000))
    company.tell(2, sold(9_000, status="reversed"), at=NOON + timedelta(hours=1))
    run_job(company, "transactions")
    assert run_job(company).counts == {"exceptions": 0, "opened": 0, "closed": 2, "decisions": 0, "settled": 0}


def test_comes_back(company: Company) -> None:
    """Asiento keeps a closed exception as it was, and opens a new one beside it when the cause comes back."""
    seen = []
    for hour in range(3):
        company.clock.put_forward(hours=1)
        if hour == 1:
            company.tell(1, sold())
        company.hear(body(f"thin{hour}", wants=(sale(1),)))
        company.derive()
        run_job(company, "fetches")
        seen.append(len(list(company.casebook.exceptions(is_open=None))))
    assert seen == [1, 1, 1]
    company.books.keep(sale(1), sold())
    company.hear(body("thin4", wants=(sale(1),)))
    company.derive()
    run_job(company, "fetches")
    del company.books.records[sale(1)]
    company.hear(body("thin5", wants=(sale(1),)))
    company.derive()
    run_job(company, "fetches")
    first, second = company.casebook.exceptions(is_open=None)
    assert first.exception_id == second.exception_id
    assert (first.closed_at is None, second.closed_at is None) == (False, True)
    assert first.opened_at < second.opened_at
