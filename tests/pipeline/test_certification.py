"""Certification with people and completeness: a missing day, an open case or an unaccepted difference keeps a month away."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.adapters.embedded.casebook import SqliteCasebook
from shared.adapters.embedded.seal_store import FileSealStore
from shared.bi.certification import Grain
from shared.domain.completeness import CompletenessCertificate, Gap, GapReason
from shared.domain.decisions import Choice, Decision
from shared.domain.facts import EntityKey, EntityKind
from shared.domain.findings import ExceptionKind, FinanceException, Sighting, not_found, persisting, unsettled
from shared.domain.reconciliation import Claim, DifferenceType, Mismatch, ReconciliationRun, RunStatus
from shared.domain.times import to_ms
from shared.pipeline.seal import Sealing, seal
from tests.bi.small_season import AS_OF, A, SmallSeason, SmallWorld, at, hex_id
from tests.pipeline.test_rebuild_bi import ALL, FEB_A, FEB_B, JAN_A, JAN_B, compared, differences, grains

BY = Sighting("run-1", AS_OF - timedelta(minutes=30))
T1 = EntityKey(EntityKind.TICKET, "betterez", hex_id("T1"))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SmallWorld]:
    """The small season, derived; every day is certified complete."""
    world = SmallWorld(tmp_path)
    world.keep_and_derive(SmallSeason().deliveries)
    yield world
    world.close()


def accept(world: SmallWorld, exception: FinanceException) -> Decision:
    """Have a person accept an exception as it stands."""
    decision = Decision(
        exception_id=exception.exception_id,
        choice=Choice.ACCEPT,
        reason="paid twice at the counter, given back by hand",
        decided_by="m.perez",
        decided_at=AS_OF - timedelta(minutes=10),
        evidence_digest=exception.evidence_digest,
        at_risk=exception.at_risk,
    )
    assert world.casebook.note_decisions([decision], AS_OF) == 1
    return decision


def accepted(world: SmallWorld, build_id: str) -> dict[Grain, list[dict[str, Any]]]:
    """Return what each certificate of a build says was accepted."""
    rows = world.warehouse.query(
        "SELECT * FROM certificates.certificate WHERE build_id = @build_id", {"build_id": build_id}
    )
    return {
        Grain(str(row["month"]), str(row["currency"]), str(row["business_unit"])): json.loads(str(row["accepted"]))
        for row in rows
    }


# Every day is complete


def test_refuses_a_month_with_a_missing_day(tmp_path: Path) -> None:
    """Asiento refuses the month, and only it, of which one day was never certified complete, and counts the days."""
    world = SmallWorld(tmp_path, uncertified=[date(2026, 1, 17)])
    world.keep_and_derive(SmallSeason().deliveries)
    result = world.rebuild("build-1")
    assert grains(result.refused) == [JAN_A, JAN_B]
    assert grains(result.certified) == [FEB_A, FEB_B]
    assert differences(result)[0] == (
        "control.complete_month.every_day_is_complete: of 31 days 30 are certified and 30 are complete in the listing of "
        "payment of mercadopago, 0 listed are not kept: reconcile the month"
    )
    world.close()


def test_refuses_a_month_with_a_gap_until_it_is_closed(world: SmallWorld) -> None:
    """Asiento refuses a month of which something listed is not kept, and certifies it once a later certificate says it is."""
    day, key = date(2026, 2, 3), EntityKey(EntityKind.TICKET, "betterez", hex_id("T9"))

    def certified(run_id: str, gaps: tuple[Gap, ...], minutes: int) -> None:
        when = AS_OF - timedelta(minutes=minutes)
        run = ReconciliationRun(
            run_id, "completeness", "betterez", EntityKind.TICKET, None, when, when, RunStatus.SUCCEEDED
        )
        found = CompletenessCertificate("betterez", EntityKind.TICKET, day, when, run_id, 3, gaps, len(gaps), "digest")
        world.casebook.record_run(run, certificates=[found])

    certified("gap", (Gap(key, GapReason.NOT_TOLD),), 30)
    refused = world.rebuild("build-1")
    assert grains(refused.refused) == [FEB_A, FEB_B]
    assert (
        "28 are certified and 27 are complete in the listing of ticket of betterez, 1 listed are not kept"
        in (differences(refused)[0])
    )
    certified("closed", (), 20)
    assert grains(world.rebuild("build-2").certified) == ALL


def test_refuses_what_was_never_certified_complete(world: SmallWorld, tmp_path: Path) -> None:
    """Asiento certifies no month of a provider that it has heard of and that was never asked whether that is all."""
    (tmp_path / "empty").mkdir()
    unasked = SqliteCasebook(tmp_path / "empty" / "cases.db")
    result = world.rebuild("build-1", casebook=unasked)
    unasked.close()
    assert grains(result.refused) == ALL
    assert {each.partition(": ")[2] for each in differences(result)} == {
        f"no day of {provider} was ever certified complete: reconcile with its API"
        for provider in ("betterez", "mercadopago", "stripe")
    }


# Differences are gone, or accepted by a named person


def missing_ticket(amount_minor: int = 100_000) -> Mismatch:
    """Return that the platform lists a ticket that the ledger lacks."""
    key = EntityKey(EntityKind.TICKET, "betterez", hex_id("T7"))
    return Mismatch(DifferenceType.MISSING_IN_LEDGER, Claim(key, 0, amount_minor, "ARS", "open"), None)


def told_of_difference(world: SmallWorld) -> FinanceException:
    """Have the open difference become an exception, as it does after a day."""
    (difference,) = world.casebook.open_differences()
    exception = persisting(difference, BY)
    world.casebook.see_exceptions([exception])
    return exception


def test_certifies_a_difference_that_a_person_accepted(world: SmallWorld) -> None:
    """Asiento certifies a month whose one difference a named person accepted, and the certificate says who, what and why."""
    compared(world, "betterez", EntityKind.TICKET, first=date(2026, 2, 1), found=[missing_ticket()])
    exception = told_of_difference(world)
    refused = world.rebuild("build-1")
    assert grains(refused.refused) == [FEB_A, FEB_B]
    assert "1 differences of ticket with betterez are open (transactions)" in differences(refused)[0]
    decision = accept(world, exception)
    assert grains(world.rebuild("build-2").certified) == ALL
    said = accepted(world, "build-2")
    assert [said[grain] for grain in (JAN_A, JAN_B)] == [[], []]
    assert (
        said[FEB_A]
        == said[FEB_B]
        == [
            {
                "exception_id": exception.exception_id,
                "kind": "difference",
                "subject": exception.subject,
                "at_risk_minor": 100_000,
                "at_risk_currency": "ARS",
                "decision": "accept",
                "decided_by": "m.perez",
                "reason": decision.reason,
                "decided_at_ms": to_ms(decision.decided_at),
            }
        ]
    )


def test_refuses_what_was_accepted_as_something_else(world: SmallWorld) -> None:
    """Asiento refuses a month again once an accepted difference is of another amount than the one that was accepted."""
    compared(world, "betterez", EntityKind.TICKET, first=date(2026, 2, 1), found=[missing_ticket()])
    accept(world, told_of_difference(world))
    later = AS_OF - timedelta(minutes=5)
    compared(world, "betterez", EntityKind.TICKET, first=date(2026, 2, 1), when=later, found=[missing_ticket(100_001)])
    assert grains(world.rebuild("build-1").refused) == [FEB_A, FEB_B]


def test_refuses_a_difference_that_another_job_found(world: SmallWorld) -> None:
    """Asiento refuses the month of an open difference whichever job has found it: settlements and totals too."""
    compared(world, "stripe", EntityKind.PAYMENT, first=date(2026, 1, 1), last=date(2026, 1, 31), found=[])
    key = EntityKey(EntityKind.PAYMENT, "stripe", "ch_1")
    found = Mismatch(
        DifferenceType.SETTLED_OTHERWISE, Claim(key, 0, 1_034_566, "ARS", ""), Claim(key, 0, 1_034_567, "ARS", "")
    )
    when = AS_OF - timedelta(hours=1)
    run = ReconciliationRun(
        "settled", "settlements", "stripe", EntityKind.PAYMENT, None, when, when, RunStatus.SUCCEEDED
    )
    window = next(each.window for each in world.casebook.runs() if each.provider == "stripe" and each.window)
    world.casebook.record_run(replace(run, window=window), [found])
    result = world.rebuild("build-1")
    assert grains(result.refused) == [JAN_A, JAN_B]
    assert "differences of payment with stripe are open (settlements)" in differences(result)[0]


# No exception that leaves money in doubt is open


def test_refuses_the_month_of_an_open_exception(world: SmallWorld) -> None:
    """Asiento refuses the months of the ticket that the provider does not know, until a person decides about it."""
    exception = not_found(T1, world.ledger.entity(T1), [], BY)
    world.casebook.see_exceptions([exception])
    refused = world.rebuild("build-1")
    assert grains(refused.refused) == [JAN_A]
    assert differences(refused) == [
        f"mart.exception_month.no_blocking_one_is_open: {T1} and 0 more are open as not_found: mend or decide them"
    ]
    accept(world, exception)
    assert grains(world.rebuild("build-2").certified) == ALL
    assert [each["decided_by"] for each in accepted(world, "build-2")[JAN_A]] == ["m.perez"]
    assert not accepted(world, "build-2")[FEB_A]


def test_refuses_what_an_unplaced_exception_may_concern(world: SmallWorld) -> None:
    """Asiento refuses the month before it was opened and every later one for an exception that leads to no month."""
    unknown = EntityKey(EntityKind.SALE, "betterez", hex_id("S99"))
    world.casebook.see_exceptions([not_found(unknown, None, [], Sighting("run-1", at("2026-03-01 10:00")))])
    result = world.rebuild("build-1")
    assert grains(result.refused) == [FEB_A, FEB_B]
    assert f"{unknown} and 0 more are open as not_found and lead to no month" in differences(result)[0]


def test_leaves_matters_of_operations_alone(world: SmallWorld) -> None:
    """Asiento certifies a month in which something is open that leaves no money in doubt."""
    seat = replace(not_found(T1, None, [], BY), kind=ExceptionKind.TICKET_WITHOUT_SEAT)
    world.casebook.see_exceptions([seat])
    assert grains(world.rebuild("build-1").certified) == ALL


def test_sets_aside_a_delivery_that_a_person_accepted(world: SmallWorld) -> None:
    """Asiento certifies the month of an event that it cannot classify once a named person has decided to do without it."""
    season = SmallSeason()
    delivery = season.platform("seats", "seatmap.repainted", "2026-01-10 10:00", {"accountId": A})
    world.keep_and_derive([delivery])
    verdict = world.ledger.verdict(delivery.delivery_id)
    assert verdict is not None
    exception = unsettled(verdict, "betterez", BY)
    world.casebook.see_exceptions([exception])
    assert grains(world.rebuild("build-1").refused) == [JAN_A]
    accept(world, exception)
    result = world.rebuild("build-2")
    assert grains(result.certified) == ALL
    set_aside = world.warehouse.query("SELECT delivery_id FROM control.set_aside WHERE build_id = 'build-2'", {})
    assert [row["delivery_id"] for row in set_aside] == [delivery.delivery_id]


# What a certificate stands on


def test_names_the_seal_that_it_stands_on(world: SmallWorld, tmp_path: Path) -> None:
    """Asiento's certificates name the head of the chain of seals and up to where it covers what came."""
    seals = FileSealStore(tmp_path / "seals")
    seal(Sealing(world.raw, seals, "code-of-the-test"), AS_OF)
    head = seals.head()
    assert head is not None
    world.rebuild("build-1", seals=seals)
    rows = world.warehouse.query("SELECT DISTINCT seal_head, sealed_until_ms FROM certificates.certificate", {})
    assert list(rows) == [{"seal_head": head.seal_hash, "sealed_until_ms": to_ms(head.sealed_until)}]
