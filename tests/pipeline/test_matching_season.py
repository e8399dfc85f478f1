"""On a clean season Asiento matches everything without a person."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from local.line import delivered
from local.simulator import Chaos, Plan, Season
from shared.adapters.embedded.ledger_store import SqliteLedgerStore
from shared.adapters.embedded.raw_store import SqliteRawStore
from shared.contracts.holding import Holding
from shared.domain.matching import Pairing
from shared.domain.outcomes import Outcome
from shared.domain.times import ALL_TIME
from shared.pipeline.derive import Deriving, derive_deliveries
from shared.pipeline.matching import Matching
from shared.providers.toolkit import registry
from shared.providers.toolkit.compression import opened_object

SEED, SALES = 11, 250
PROVIDERS = ("betterez", "stripe", "mercadopago")


def test_a_clean_season_leaves_nothing_unmatched(tmp_path: Path) -> None:
    """Asiento matches every payment and refund of a clean season by a stated link or a rule, and its contract holds nothing."""
    print(f"season seed {SEED}, {SALES} sales")  # noqa: T201  pytest shows it with a failure
    now = datetime(2027, 1, 1, tzinfo=UTC)
    plan = Plan(Season.generate(seed=SEED, sales=SALES), Chaos())
    deliveries = [delivered(send, dict.fromkeys(PROVIDERS, "k"), now) for send in plan.sends()]
    with (
        closing(SqliteLedgerStore(tmp_path / "ledger.db")) as ledger,
        closing(SqliteRawStore(tmp_path / "raw.db")) as raw,
    ):
        providers = {name: registry.load(name) for name in PROVIDERS}
        world = Deriving(providers, raw, ledger, "test", Holding(opened_object))
        for start in range(0, len(deliveries), 500):
            verdicts = derive_deliveries(deliveries[start : start + 500], world, now)
            assert {each.outcome for each in verdicts} <= {Outcome.APPLIED, Outcome.SUPERSEDED, Outcome.DUPLICATE}
        matching = Matching(ledger, PROVIDERS)
        floating = [each for each in matching.decisions(ALL_TIME) if each.target is None]
        assert floating == []
        assert matching.stated[Pairing.PAYMENT_TO_SALE] >= SALES
        assert next(matching.decisions(ALL_TIME, (Pairing.REFUND_TO_PAYMENT,)), None) is not None
