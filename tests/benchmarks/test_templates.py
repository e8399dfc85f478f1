"""Asiento's big benchmark seasons are the simulator's season, again and again, and nothing else."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmarks import copied, homes
from benchmarks.homes import batches
from benchmarks.templates import KEYS, Template, renamed
from local.demo.homes import opened
from local.line import delivered
from local.simulator import Chaos, Plan, Season
from shared.domain.deliveries import Delivery
from shared.domain.facts import EntityKind
from shared.domain.outcomes import Outcome
from shared.pipeline.derive import derive_deliveries
from shared.pipeline.rebuild_bi import rebuild
from shared.pipeline.state_hash import state_hash
from shared.runtime import wiring

SALES, SEED = 12, 7
NOW = datetime(2026, 4, 2, 15, tzinfo=UTC)


class Derived:
    """What a ledger holds after deliveries: its hash, how many entities of each kind and state, outcomes, and totals."""

    def __init__(self, home: Path, deliveries: Iterable[Delivery]) -> None:
        """Derive them into a ledger of their own."""
        with opened(home, KEYS) as parts:
            world = wiring.deriving(parts)
            for batch in batches(deliveries, 500):
                derive_deliveries(batch, world, NOW)
            entities = list(parts.ledger.entities())
            self.state_hash = state_hash(entities)
            self.counts = Counter((each.key.kind, each.is_awaited, each.has_conflict) for each in entities)
            self.outcomes = parts.ledger.outcome_counts()
            self.totals_minor = sum(int(each.values.get("total_minor", 0)) for each in entities)


def test_the_first_repetition_is_the_simulated_season(tmp_path: Path) -> None:
    """Asiento's benchmarks derive the very ledger that the simulator's own season leaves."""
    sends = Plan(Season.generate(seed=SEED, sales=SALES), Chaos()).sends()
    simulated = Derived(tmp_path / "simulated", (delivered(send, KEYS, NOW) for send in sends))
    written = Derived(tmp_path / "written", Template.of(SALES, SEED, is_lean=False).deliveries(SALES))
    assert written.state_hash == simulated.state_hash
    assert written.outcomes == simulated.outcomes


def test_each_repetition_adds_as_much_and_disputes_nothing(tmp_path: Path) -> None:
    """Asiento's benchmarks repeat a season with identifiers of its own: everything sold is there as often, none in conflict."""
    template = Template.of(SALES, SEED)
    once = Derived(tmp_path / "once", template.deliveries(SALES))
    thrice = Derived(tmp_path / "thrice", template.deliveries(3 * SALES))
    of_the_company = {EntityKind.SHIFT, EntityKind.MANIFEST, EntityKind.SETTLEMENT_LINE}
    sold = {of: count for of, count in once.counts.items() if of[0] not in of_the_company}
    assert {of[0] for of in sold} >= {EntityKind.SALE, EntityKind.TICKET, EntityKind.PAYMENT}
    assert {of: thrice.counts[of] for of in sold} == {of: 3 * count for of, count in sold.items()}
    assert thrice.totals_minor == 3 * once.totals_minor
    assert not any(has_conflict for _, _, has_conflict in thrice.counts)
    assert set(thrice.outcomes) <= {Outcome.APPLIED, Outcome.SUPERSEDED}


@pytest.mark.parametrize("repetitions", [1, 4])
def test_event_ids_and_delivery_ids_are_never_the_same(repetitions: int) -> None:
    """Asiento's benchmarks post nothing twice: what is not told apart would be a duplicate, and cheap."""
    deliveries = list(Template.of(SALES, SEED).deliveries(repetitions * SALES))
    assert len({each.delivery_id for each in deliveries}) == len(deliveries)
    assert len({each.body for each in deliveries}) == len(deliveries)


def test_no_two_of_many_repetitions_have_an_identifier_in_common() -> None:
    """Asiento's benchmarks keep a million sales apart: no repetition's identifiers are those of another."""
    template = Template.of(SALES, SEED)
    anew = {renamed(name, repetition) for name in template.names for repetition in range(2_000)}
    assert len(anew) == 2_000 * len(template.names)


def test_a_copied_home_is_rebuilt_like_a_replayed_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asiento's biggest benchmark home comes to the figures that a replay of as many sales comes to, on both paths."""
    for module in (copied, homes):
        monkeypatch.setattr(module, "SALES", SALES)
    (tmp_path / "replayed").mkdir()
    homes.filled(str(tmp_path / "replayed"), 3 * SALES)
    homes.replayed(str(tmp_path / "replayed"), str(tmp_path / "replayed"))
    sample = copied.copied(str(tmp_path / "copied"), 3 * SALES)
    first, second = (figures_of(tmp_path / name) for name in ("replayed", "copied"))
    assert sample.items > 100
    assert first == second
    assert {figure[3] for figure in first} >= {"tickets_issued", "payments_captured"}


def figures_of(home: Path) -> list[tuple[str, str, str, str, int, int]]:
    """Rebuild from a home, and return the figures of its mart; both paths must agree."""
    with opened(home, KEYS) as parts:
        result = rebuild(wiring.rebuilding(parts), build_id="build", as_of=NOW)
        checks = {each.check for judged in result.refused for each in judged.differences}
        assert not [check for check in checks if check.startswith("control.comparison.")]
        sql = "SELECT month, currency, business_unit, figure, item_count, amount_minor FROM mart.figure ORDER BY 1, 2, 3, 4"
        return [tuple(row.values()) for row in parts.warehouse.query(sql, {})]  # type: ignore[misc]  # as asked for
