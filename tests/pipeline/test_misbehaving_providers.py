"""Asiento puts up with providers that misbehave: the real clients against the simulated APIs, over loopback HTTP."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from time import monotonic

import pytest
import stamina

from local.simulator import Chaos, Season
from local.simulator.api import Cut
from local.simulator.records import Charge, WalletPayment
from shared.domain.deliveries import Channel
from shared.domain.errors import TerminalError
from shared.domain.facts import EntityKey, EntityKind
from shared.domain.reconciliation import ReconciliationRun
from shared.domain.times import ALL_TIME, Window, from_ms
from shared.ports.provider import Listed
from shared.providers.mercadopago import client as mercadopago_client
from shared.providers.stripe import client as stripe_client
from tests.pipeline.season_world import SeasonWorld, failures

SEED = 23
SALES = 60
TEN_MINUTES = timedelta(minutes=10)


@pytest.fixture(scope="module")
def season() -> Season:
    """Three days of sales."""
    print(f"seed {SEED}")  # noqa: T201  shown with a failure
    return Season.generate(SEED, SALES, first_day=date(2026, 1, 5), last_day=date(2026, 1, 7))


@pytest.fixture
def world(tmp_path: Path, season: Season) -> Iterator[SeasonWorld]:
    """A world that has heard nothing yet."""
    with SeasonWorld(tmp_path, season) as world:
        yield world


def only(world: SeasonWorld, provider: str, kind: EntityKind) -> None:
    """Let only one provider be asked, and only for one kind."""
    asked = world.reconciling.counterparties[provider]
    narrowed = replace(asked, capabilities=replace(asked.capabilities, listings=(kind,)))
    world.reconciling = replace(world.reconciling, counterparties={provider: narrowed})


def counted(runs: list[ReconciliationRun], name: str) -> int:
    """Return one count over all runs."""
    return sum(run.counts.get(name, 0) for run in runs)


def listed(world: SeasonWorld, kind: EntityKind, window: Window) -> list[Listed]:
    """Return what the one provider that is asked lists."""
    (asked,) = world.reconciling.counterparties.values()
    return list(asked.api.list_window(kind, window))


# 401


def test_a_token_that_ends_in_the_middle_of_a_listing_is_renewed(world: SeasonWorld) -> None:
    """Asiento renews its session whenever the platform ends it, by refresh token or by a new login, and goes on."""
    only(world, "betterez", EntityKind.SALE)
    ends: dict[int, Callable[[], None]] = {3: world.api.sessions.revoke_tokens, 6: world.api.sessions.revoke_everything}
    requests: list[str] = []

    def end_sessions(path: str) -> None:
        if "transactions" in path:
            requests.append(path)
            ends.pop(len(requests), lambda: None)()

    world.misbehaviour.between_requests = end_sessions
    runs = world.run("transactions")
    assert not failures(runs)
    assert ends == {}, "both ends came while it listed"
    assert counted(runs, "provider") == sum(1 for sale in world.season.company.sales.values() if sale.counter.shift)
    assert (world.api.sessions.logins, world.api.sessions.refreshes) == (2, 1)


def test_credentials_that_are_not_accepted_pause_nothing(world: SeasonWorld) -> None:
    """Asiento takes a refusal for an answer: the run fails and says so, and no pause hides that somebody must act."""
    only(world, "stripe", EntityKind.PAYMENT)
    world.misbehaviour.fail(8, status=401)
    for _ in range(4):
        assert all("credentials are not accepted" in error for error in failures(world.run("transactions")))
    assert world.casebook.pauses() == []


# 429


def test_the_pause_that_a_provider_asks_for_is_honoured(world: SeasonWorld) -> None:
    """Asiento waits as long as Retry-After says before it asks again, and the run does not fail for it."""
    only(world, "stripe", EntityKind.PAYMENT)
    world.misbehaviour.limit_rate(1, retry_after_s=1)
    with stamina.set_testing(testing=False):
        started = monotonic()
        runs = world.run("transactions", Window.of_days(date(2026, 1, 5), date(2026, 1, 7)))
    assert not failures(runs)
    assert monotonic() - started >= 0.9
    assert world.misbehaviour.shown == 1


def test_a_long_pause_outlives_the_process_that_was_asked_for_it(world: SeasonWorld, tmp_path: Path) -> None:
    """Asiento comes back after the hour that Retry-After asks for, not before, in whatever process it runs by then."""
    only(world, "stripe", EntityKind.PAYMENT)
    world.misbehaviour.limit_rate(1, retry_after_s=3600)
    assert failures(world.run("transactions"))
    assert world.misbehaviour.shown == 1, "it is not asked a second time"
    (pause,) = world.casebook.pauses()
    assert timedelta(minutes=59) < pause.until - world.clock.now() <= timedelta(hours=1)

    asked: list[str] = []
    with SeasonWorld(tmp_path, world.season) as another:
        another.clock.instant = world.clock.instant
        only(another, "stripe", EntityKind.PAYMENT)
        another.misbehaviour.between_requests = asked.append
        another.clock.put_forward(minutes=59)
        assert all("PausedError" in error for error in failures(another.run("transactions")))
        assert asked == []
        another.clock.put_forward(minutes=1)
        assert not failures(another.run("transactions"))
        assert asked


# 5xx


def test_a_server_error_now_and_then_is_asked_past(world: SeasonWorld) -> None:
    """Asiento asks again after a server error; a run whose every question is answered in the end has not failed."""
    world.misbehaviour.fail(1, status=502)
    world.hear(Chaos())
    assert not failures(world.run("transactions"))
    assert world.casebook.pauses() == []


# Pages


def wallet(number: int, first: WalletPayment) -> WalletPayment:
    """Return one of many payments, a second after the other."""
    at_ms = first.approved_at_ms + number * 1000
    return first._replace(
        id=first.id + number, created_at_ms=at_ms, approved_at_ms=at_ms, updated_at_ms=at_ms, refunds=()
    )


@pytest.fixture
def payments(world: SeasonWorld, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[int, WalletPayment]]:
    """A hundred payments at Mercado Pago, listed in pages of ten of which three overlap; gone after the test."""
    monkeypatch.setattr(mercadopago_client, "PAGE_SIZE", 10)
    monkeypatch.setattr(mercadopago_client, "PAGE_OVERLAP", 3)
    only(world, "mercadopago", EntityKind.PAYMENT)
    served = world.season.company.wallet.payments
    before = dict(served)
    first = next(iter(before.values()))
    served.clear()
    served.update({each.id: each for each in (wallet(number, first) for number in range(100))})
    yield served
    served.clear()
    served.update(before)


def change_at(world: SeasonWorld, page: int, change: Callable[[], None]) -> None:
    """Change the records just before the n-th request from now."""
    asked: list[str] = []

    def between(path: str) -> None:
        asked.append(path)
        if len(asked) == page:
            change()

    world.misbehaviour.between_requests = between


@pytest.mark.parametrize("gone", [1, 3, 8])
def test_what_leaves_a_listing_between_two_pages_hides_nothing(
    world: SeasonWorld, payments: dict[int, WalletPayment], gone: int
) -> None:
    """Asiento misses no entity when others leave the pages that it has read already, be they few or more than overlap."""
    ids = list(payments)

    def leave() -> None:
        for payment_id in ids[:gone]:
            del payments[payment_id]

    change_at(world, 4, leave)
    found = {int(each.key.entity_id) for each in listed(world, EntityKind.PAYMENT, world.window)}
    assert found >= set(ids[gone:])


@pytest.mark.parametrize("come", [1, 5, 20])
def test_what_joins_a_listing_between_two_pages_is_listed(
    world: SeasonWorld, payments: dict[int, WalletPayment], come: int
) -> None:
    """Asiento lists an entity that joins the pages that it has read already, and still all others."""
    first = next(iter(payments.values()))
    late = [wallet(number, first)._replace(id=first.id + 5_000 + number) for number in range(come)]
    change_at(world, 4, lambda: payments.update({each.id: each for each in late}))
    found = {int(each.key.entity_id) for each in listed(world, EntityKind.PAYMENT, world.window)}
    assert found == payments.keys()


def test_a_listing_that_never_stands_still_fails_the_run(
    world: SeasonWorld, payments: dict[int, WalletPayment]
) -> None:
    """Asiento takes nothing from a listing that changes each time it is read: the run fails, and is tried again."""

    def first_ones_go_to_the_end(_path: str) -> None:
        last = max(payments.values(), key=lambda each: each.approved_at_ms)
        some = sorted(payments.values(), key=lambda each: each.approved_at_ms)[:8]
        payments.update({each.id: wallet(at + 1, last)._replace(id=each.id) for at, each in enumerate(some)})

    world.misbehaviour.between_requests = first_ones_go_to_the_end
    runs = world.run("transactions")
    assert any("changed each of the 3 times that it was read" in error for error in failures(runs))
    assert list(world.casebook.open_differences()) == []
    world.misbehaviour.between_requests = lambda _: None
    world.clock.put_forward(minutes=2)
    assert not failures(world.run("transactions"))


@pytest.fixture
def charges(world: SeasonWorld, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Charge]]:
    """Charges at Stripe, listed in pages of four, newest first; as they were after the test."""
    monkeypatch.setattr(stripe_client, "PAGE_SIZE", 4)
    only(world, "stripe", EntityKind.PAYMENT)
    served = world.season.company.stripe.charges
    before = dict(served)
    assert len(before) > 12
    yield served
    served.clear()
    served.update(before)


def test_charges_that_are_made_while_charges_are_listed(world: SeasonWorld, charges: dict[str, Charge]) -> None:
    """Asiento lists nothing twice where a new charge pushes pages down, and finds the new one when it next lists."""
    newest = max(charges.values(), key=lambda each: each.created_s)
    oldest = min(charges.values(), key=lambda each: each.created_s)
    known = {*charges}
    young = newest._replace(id="ch_young", created_s=newest.created_s + 1)
    old = oldest._replace(id="ch_old", created_s=oldest.created_s - 1)
    change_at(world, 2, lambda: charges.update({each.id: each for each in (young, old)}))
    first = [each.key.entity_id for each in listed(world, EntityKind.PAYMENT, world.window)]
    assert len(first) == len(set(first))
    assert set(first) == {*known, "ch_old"}
    again = {each.key.entity_id for each in listed(world, EntityKind.PAYMENT, world.window)}
    assert again == {*known, "ch_old", "ch_young"}


def test_a_page_that_cannot_be_gone_on_from_fails_the_run(world: SeasonWorld, charges: dict[str, Charge]) -> None:
    """Asiento takes nothing from a listing whose last entry is gone when the next page is asked for, and lists it again."""
    newest_first = sorted(charges, key=lambda each: (charges[each].created_s, each), reverse=True)
    change_at(world, 2, lambda: charges.__delitem__(newest_first[3]))
    with pytest.raises(TerminalError, match="answered 400"):
        listed(world, EntityKind.PAYMENT, world.window)
    again = [each.key.entity_id for each in listed(world, EntityKind.PAYMENT, world.window)]
    assert again == [*newest_first[:3], *newest_first[4:]]


# Clocks


@pytest.mark.parametrize("ahead", [TEN_MINUTES, -TEN_MINUTES], ids=["ahead", "behind"])
def test_a_token_of_a_clock_that_is_wrong_serves(world: SeasonWorld, ahead: timedelta) -> None:
    """Asiento measures the life of a token by the token's own times, so that no clock but the platform's matters."""
    only(world, "betterez", EntityKind.SHIFT)
    world.api.sessions.clock_ahead = ahead
    assert not failures(world.run("transactions"))
    assert world.api.sessions.logins == 1


@pytest.mark.parametrize("ahead", [TEN_MINUTES, -TEN_MINUTES], ids=["ahead", "behind"])
@pytest.mark.parametrize("provider", ["stripe", "mercadopago"])
def test_what_another_clock_places_beyond_the_window_is_not_missing(
    world: SeasonWorld, provider: str, ahead: timedelta
) -> None:
    """Asiento compares a little beyond both ends of a window: what the listing's clock puts outside is not missing."""
    only(world, provider, EntityKind.PAYMENT)
    world.hear(Chaos())
    world.run("fetches")
    world.misbehaviour.clock_ahead = ahead
    paid_at = sorted(
        from_ms(entity.occurred_at_ms)
        for entity in world.ledger.entities(EntityKind.PAYMENT)
        if entity.key.provider == provider and entity.occurred_at_ms is not None
    )
    for moment in paid_at[:10]:
        edge = Window(moment - timedelta(minutes=5), moment + timedelta(minutes=5))
        runs = world.run("transactions", edge)
        assert not failures(runs)
        assert counted(runs, "missing_at_provider") == counted(runs, "missing_in_ledger") == 0
        assert counted(runs, "provider") == counted(runs, "ledger") > 0
    assert list(world.casebook.open_differences()) == []


# Answers that are cut


@pytest.mark.parametrize("how", list(Cut), ids=lambda how: how.name.lower())
def test_an_answer_that_is_cut_once_is_asked_for_again(world: SeasonWorld, how: Cut) -> None:
    """Asiento notices an answer that ends in the middle, whoever cut it, asks again, and keeps only whole ones."""
    key = _a_sale(world)
    whole = world.reconciling.counterparties["betterez"].api.fetch(key)
    world.misbehaviour.cut(1, how)
    assert world.reconciling.counterparties["betterez"].api.fetch(key) == whole
    assert world.misbehaviour.shown == 1


@pytest.mark.parametrize("how", list(Cut), ids=lambda how: how.name.lower())
def test_answers_that_are_cut_again_and_again_are_not_taken(world: SeasonWorld, how: Cut) -> None:
    """Asiento keeps no half of an answer and compares with no half of a listing: both wait for a whole one."""
    only(world, "mercadopago", EntityKind.PAYMENT)
    world.hear(Chaos(), straggling=0)
    wanted = world.ledger.outbox_depth()
    assert wanted > 0
    world.misbehaviour.cut(10_000, how)
    fetched = world.run("fetches")
    assert failures(fetched)
    assert [each for each in world.raw.deliveries(ALL_TIME) if each.channel is Channel.FETCH] == []
    world.clock.put_forward(minutes=2)
    compared = world.run("transactions")
    assert failures(compared)
    assert list(world.casebook.open_differences()) == []


def _a_sale(world: SeasonWorld) -> EntityKey:
    return EntityKey(EntityKind.SALE, "betterez", next(iter(world.season.company.sales)))
