"""Asiento matches the payments of a clean season without a person, and counts each that needs one."""

from pathlib import Path

from local import line
from local.demo.homes import new_keys, opened
from local.simulator import Api, ApiServer, Chaos, Plan, Season
from shared.domain.decisions import Choice
from shared.domain.facts import EntityKey, EntityKind, Value
from shared.domain.findings import ExceptionKind
from shared.domain.times import ALL_TIME, Window, to_ms
from shared.pipeline.automatic_rate import AutomaticRate, automatic_rate
from shared.pipeline.reconcile import reconcile
from shared.runtime import wiring
from tests.pipeline.small_company import NOON, WEEK, Company, body, sale, sold
from tests.pipeline.test_decide import decide_now, one_open, wish

SEED = 23


def payment(number: int, provider: str = "tiny") -> EntityKey:
    """Return the key of the payment of that number."""
    return EntityKey(EntityKind.PAYMENT, provider, f"p{number:04d}")


def pay(company: Company, number: int, *, status: str = "success", sold_by: EntityKey | None = None) -> None:
    """Let the ledger hear of a payment, for a sale if one is named."""
    values: dict[str, Value] = {"amount_minor": 100, "currency": "ARS", "status": status, "paid_at_ms": to_ms(NOON)}
    links: dict[str, Value] = {"sale": str(sold_by)} if sold_by else {}
    company.hear(body(f"p{number}", (payment(number), 1, {**values, **links})))
    company.derive()


def rate(company: Company, window: Window = ALL_TIME) -> AutomaticRate:
    """Return the rate as of now."""
    return automatic_rate(company.ledger, company.casebook, window, company.clock.now())


def test_a_clean_season_needs_nobody(tmp_path: Path) -> None:
    """Asiento matches at least 99.99 % of the payments of a clean season by itself, the platform's and the processors'."""
    print(f"seed {SEED}")  # noqa: T201  shown with a failure
    season, keys = Season.generate(SEED, sales=90), new_keys()
    with ApiServer(Api(season.company)) as apis, opened(tmp_path, keys, apis) as parts:
        for _ in line.receive_all(parts, Plan(season, Chaos()).sends(), keys):
            line.drain(parts)
        with wiring.reconciling(parts) as world:
            line.fetch_until_done(parts, world)
        found = automatic_rate(parts.ledger, parts.casebook, ALL_TIME, line.now())
        providers = {each.key.provider for each in parts.ledger.entities(EntityKind.PAYMENT)}
    assert providers == {"betterez", "stripe", "mercadopago"}
    assert found.payments > 120
    assert (found.waiting, found.floating) == (0, 0)
    assert found.is_as_intended, str(found)


def test_counts_each_payment_once(company: Company) -> None:
    """Asiento tells apart what found its sale, what waits, what floats, and what a person matched."""
    company.tell(1, sold())
    pay(company, 1, sold_by=sale(1))
    pay(company, 2)
    pay(company, 3, sold_by=sale(9))
    pay(company, 4, status="failed")
    assert rate(company) == AutomaticRate(by_itself=1, by_a_person=0, waiting=1, floating=1)
    assert str(rate(company)) == "50.0000 %"
    assert rate(company, Window(NOON, NOON)).ppm is None

    company.clock.put_forward(hours=30)
    reconcile("awaited", company.world, WEEK, company.clock.now())
    assert rate(company) == AutomaticRate(by_itself=1, by_a_person=0, waiting=0, floating=2)
    exception = one_open(company, ExceptionKind.UNLINKED)
    decide_now(company, wish(exception, Choice.CORRECT, field="sale", value=str(sale(1)), entity=str(payment(3))))
    assert rate(company) == AutomaticRate(by_itself=1, by_a_person=1, waiting=0, floating=1)


def test_a_disputed_payment_floats_until_it_is_decided(company: Company) -> None:
    """Asiento does not call a payment matched whose amount is disputed, nor a person's acceptance automatic."""
    company.tell(1, sold())
    pay(company, 1, sold_by=sale(1))
    company.hear(body("other", (payment(1), 2, {"amount_minor": 101})))
    company.derive()
    assert rate(company) == AutomaticRate(by_itself=0, by_a_person=0, waiting=0, floating=1)
    reconcile("exceptions", company.world, WEEK, company.clock.now())
    decide_now(company, wish(one_open(company, ExceptionKind.CONFLICTING_ENTITY)))
    assert rate(company) == AutomaticRate(by_itself=0, by_a_person=1, waiting=0, floating=0)


def test_the_rate_is_never_rounded_up() -> None:
    """Asiento shows less than the target where one payment in ten thousand and one more float."""
    for by_itself, shown, is_as_intended in ((9_999, "99.9900 %", True), (9_998, "99.9899 %", False)):
        rounded = AutomaticRate(by_itself, 0, 5, 1)
        assert (str(rounded), rounded.is_as_intended) == (shown, is_as_intended)
