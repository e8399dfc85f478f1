"""Asiento lets only the comparison with a provider's own listing answer for what could not be read."""

from datetime import UTC, date, datetime

import pytest

from shared.bi.inputs import compared_day_rows
from shared.domain.facts import EntityKey, EntityKind
from shared.domain.reconciliation import Claim, Difference, DifferenceType, Mismatch, ReconciliationRun, RunStatus
from shared.domain.times import Window, to_ms

DAY = date(2026, 3, 10)
AT = datetime(2026, 3, 11, tzinfo=UTC)
KEY = EntityKey(EntityKind.PAYMENT, "stripe", "ch_1")


@pytest.mark.parametrize(("job", "rows"), [("transactions", [(DAY, to_ms(AT), 1)]), ("settlements", [])])
def test_only_listings_answer(job: str, rows: list[tuple[date, int, int]]) -> None:
    """Asiento counts as compared with its provider, or as differing from it, only what the listing job looked at."""
    window = Window.of_days(DAY, DAY)
    run = ReconciliationRun("run1", job, "stripe", EntityKind.PAYMENT, window, AT, AT, RunStatus.SUCCEEDED)
    mismatch = Mismatch(DifferenceType.SETTLED_OTHERWISE, None, Claim(KEY, 1, 100, "ARS", ""))
    difference = Difference(mismatch, window, "run1", AT, "run1", AT, job=job)
    found = compared_day_rows([run], [difference])
    assert [(row["day"], row["compared_at_ms"], row["open_differences"]) for row in found] == rows
