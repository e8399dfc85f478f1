"""What any casebook keeps of its sources: certificates of completeness, which are only added, and pauses."""

from dataclasses import replace
from datetime import date, timedelta

from shared.domain.completeness import CompletenessCertificate, Gap, GapReason
from shared.domain.facts import EntityKey, EntityKind
from shared.domain.pauses import Pause
from shared.ports.casebook import Casebook
from tests.adapters.embedded.test_casebook import NOON, missing, run

DAY = date(2026, 3, 10)


def certified(
    run_id: str, minutes: int = 0, *, day: date = DAY, kind: EntityKind = EntityKind.SALE, provider: str = "tiny"
) -> CompletenessCertificate:
    """Return a certificate that a run gave some minutes after noon."""
    gaps = (Gap(EntityKey(kind, provider, "a/b.c"), GapReason.NOT_KEPT),)
    at = NOON + timedelta(minutes=minutes)
    return CompletenessCertificate(provider, kind, day, at, run_id, 7, gaps, 3, "d" * 64)


def test_a_certificate_comes_back_as_it_was_given(casebook: Casebook) -> None:
    """Asiento keeps a certificate with the run that gave it, and gives both back as they were."""
    recorded = casebook.record_run(run("r1", job="completeness"), [], [certified("r1")])
    assert casebook.runs("completeness") == [recorded]
    assert list(casebook.completeness()) == [certified("r1")]
    assert (certified("r1").present, certified("r1").is_complete) == (4, False)


def test_recording_the_same_run_again_adds_no_certificate(casebook: Casebook) -> None:
    """Asiento adds the certificates of a run once, however often it is recorded."""
    for _ in range(2):
        casebook.record_run(run("r1", job="completeness"), [missing(1)], [certified("r1")])
    assert casebook.certificates_of("tiny", EntityKind.SALE, DAY) == [certified("r1")]


def test_the_certificate_of_the_latest_moment_stands(casebook: Casebook) -> None:
    """Asiento lets the latest look at a day stand, in whatever order the runs are recorded, and keeps every one."""
    given = [certified("r2", 5), replace(certified("r3", 9), gaps=(), gap_count=0), certified("r1", 1)]
    for each in given:
        casebook.record_run(run(each.run_id, job="completeness"), [], [each])
    assert list(casebook.completeness()) == [given[1]]
    assert casebook.certificates_of("tiny", EntityKind.SALE, DAY) == [given[2], given[0], given[1]]


def test_one_stands_for_each_provider_kind_and_day(casebook: Casebook) -> None:
    """Asiento keeps the days, kinds and providers apart, in order, and shows those that are asked for."""
    days = [DAY + timedelta(days=number) for number in range(3)]
    of_run = [certified("r1", day=day, kind=kind) for day in days for kind in (EntityKind.SALE, EntityKind.TICKET)]
    casebook.record_run(run("r1", job="completeness"), [], of_run)
    other = certified("r2", provider="other", day=days[1])
    casebook.record_run(run("r2", job="completeness"), [], [other])
    shown = [(each.day, each.provider, each.kind) for each in casebook.completeness(days[1], days[1])]
    assert shown == [
        (days[1], "other", EntityKind.SALE),
        (days[1], "tiny", EntityKind.SALE),
        (days[1], "tiny", EntityKind.TICKET),
    ]
    assert len(list(casebook.completeness())) == 7
    assert len(list(casebook.completeness(days[2]))) == 2
    assert list(casebook.completeness(last=DAY - timedelta(days=1))) == []
    assert casebook.certificates_of("tiny", EntityKind.REFUND, DAY) == []


def test_many_days_are_streamed(casebook: Casebook) -> None:
    """Asiento yields the certificates of years, day by day."""
    days = [DAY + timedelta(days=number) for number in range(700)]
    casebook.record_run(run("r1", job="completeness"), [], [certified("r1", day=day) for day in days])
    assert [each.day for each in casebook.completeness()] == days


def test_a_pause_is_kept_in_place_of_the_one_before(casebook: Casebook) -> None:
    """Asiento knows of each provider how its latest pause stands."""
    pause = Pause("tiny", NOON, NOON + timedelta(minutes=1), 1, "TransientError: 503")
    assert casebook.pauses() == []
    casebook.keep_pause(pause)
    casebook.keep_pause(replace(pause, provider="other"))
    longer = replace(pause, until=NOON + timedelta(minutes=3), trials=2)
    casebook.keep_pause(longer)
    assert casebook.pauses() == [replace(pause, provider="other"), longer]
    casebook.keep_pause(longer.ended(NOON))
    assert [each.stands for each in casebook.pauses()] == [True, False]
