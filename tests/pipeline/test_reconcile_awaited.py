"""Asiento asks for what others point at in vain, and tells people of what stays away."""

from datetime import timedelta
from pathlib import Path

from shared.domain.facts import EntityKind
from shared.domain.findings import ExceptionKind
from shared.domain.reconciliation import ReconciliationRun
from shared.pipeline.reconcile import reconcile
from tests.pipeline.small_company import WEEK, Company, body, capabilities, refund, sale, sold, ticket


def run_job(company: Company, name: str = "awaited") -> ReconciliationRun:
    """Run a job as of now."""
    (run,) = reconcile(name, company.world, WEEK, company.clock.now())
    return run


def fare(number: int) -> dict[str, str | int | bool]:
    """Return the values of a ticket of a sale."""
    return {"fare_minor": 5_000, "currency": "ARS", "status": "open", "sale": str(sale(number))}


def test_sale_that_tickets_point_at(company: Company) -> None:
    """Asiento waits ten minutes for a sale that tickets point at, then fetches it once."""
    company.hear(body("e1", (ticket(1), 1, fare(1)), (ticket(2), 1, fare(1))))
    company.derive()
    company.books.keep(sale(1), sold(10_000))
    company.clock.put_forward(minutes=9)
    assert run_job(company).counts["awaited"] == 0
    company.clock.put_forward(minutes=2)
    assert run_job(company).counts == {"awaited": 1, "asked": 1, "exceptions": 0, "opened": 0, "closed": 0}
    run_job(company)
    assert company.ledger.outbox_depth() == 1, "asked for once while it waits in the outbox"
    run_job(company, "fetches")
    company.derive()
    assert run_job(company).counts["awaited"] == 0


def test_refund_and_ticket_are_fetched_by_the_sale_that_points_at_them(company: Company) -> None:
    """Asiento fetches what has no address of its own by way of the sale that tells of it."""
    company.books.keep(sale(1), sold(10_000))
    company.books.keep(ticket(1), {**fare(1), "refund": str(refund(1))})
    company.books.keep(refund(1), {"amount_minor": 4_000, "currency": "ARS", "sale": str(sale(1))})
    company.hear(body("e1", (ticket(1), 1, {**fare(1), "refund": str(refund(1))}), (sale(1), 1, sold(10_000))))
    company.hear(body("e2", (refund(2), 1, {"ticket": str(ticket(2)), "original_sale": str(sale(2))})))
    company.derive()
    company.clock.put_forward(minutes=11)
    assert run_job(company).counts["asked"] == 2
    run_job(company, "fetches")
    company.derive()
    assert set(company.books.asked) == {f"fetch {sale(1)}", f"fetch {sale(2)}"}
    entity = company.ledger.entity(refund(1))
    assert entity is not None
    assert entity.values["amount_minor"] == 4_000


def test_overdue_becomes_an_exception_and_closes(tmp_path: Path) -> None:
    """Asiento tells finance of what stays away for a day, with the money at risk, until the moment that it is there."""
    company = Company(tmp_path, capabilities(fetchable=()))
    company.hear(body("e1", (ticket(1), 1, fare(1)), (ticket(2), 1, fare(1))))
    company.derive()
    company.clock.put_forward(hours=23)
    assert run_job(company).counts["exceptions"] == 0
    company.clock.put_forward(hours=2)
    assert run_job(company).counts == {"awaited": 1, "asked": 0, "exceptions": 1, "opened": 1, "closed": 0}
    assert run_job(company).counts["opened"] == 0
    (exception,) = company.casebook.exceptions()
    assert (exception.kind, exception.subject) == (ExceptionKind.UNLINKED, str(sale(1)))
    assert str(exception.at_risk) == "ARS 100.00"
    assert exception.evidence["wanted_by"] == f"{ticket(1)}, {ticket(2)}"
    company.clock.put_forward(hours=1)
    assert timedelta(hours=1) < exception.age(company.clock.now()) < timedelta(hours=2)
    company.tell(1, sold(10_000))
    assert run_job(company).counts["closed"] == 1
    assert not list(company.casebook.exceptions())
    company.close()


def test_one_case_is_one_exception(company: Company) -> None:
    """Asiento tells once of an awaited sale that the provider does not know."""
    company.hear(body("e1", (ticket(1), 1, fare(1))))
    company.derive()
    company.clock.put_forward(hours=25)
    for _ in range(3):
        run_job(company, "fetches")
        run_job(company)
    assert [each.kind for each in company.casebook.exceptions()] == [ExceptionKind.NOT_FOUND]


def test_nothing_leads_there(tmp_path: Path) -> None:
    """Asiento asks for nothing where no sale can be fetched, or where a sale would not tell."""
    company = Company(tmp_path, capabilities(fetchable=(EntityKind.SALE,)))
    company.hear(body("e1", (sale(1), 1, sold(shift="shift:tiny:h1")), (ticket(1), 1, {"refund": str(refund(9))})))
    company.hear(body("e2", (ticket(2), 1, {"sale": "sale:elsewhere:s1"})))
    company.derive()
    company.clock.put_forward(minutes=11)
    assert run_job(company).counts == {"awaited": 3, "asked": 0, "exceptions": 0, "opened": 0, "closed": 0}
    company.close()
