"""Days that are certified complete, for tests that are about something else."""

from collections.abc import Collection
from datetime import date, datetime

from shared.domain.completeness import CompletenessCertificate
from shared.domain.facts import EntityKind
from shared.domain.reconciliation import ReconciliationRun, RunStatus
from shared.domain.times import Window
from shared.ports.casebook import Casebook

LISTINGS = (
    ("betterez", EntityKind.TICKET),
    ("stripe", EntityKind.PAYMENT),
    ("mercadopago", EntityKind.PAYMENT),
)
"""What each provider lists."""


def certify_days(
    casebook: Casebook, first: date, last: date, when: datetime, uncertified: Collection[date] = ()
) -> None:
    """Certify every day from the first to the last complete with every provider, but for some days."""
    days = [day for day in Window.of_days(first, last).days() if day not in uncertified]
    for provider, kind in LISTINGS:
        run_id = f"completeness-{provider}-{when:%Y%m%dT%H%M}"
        run = ReconciliationRun(run_id, "completeness", provider, kind, None, when, when, RunStatus.SUCCEEDED)
        certified = [CompletenessCertificate(provider, kind, day, when, run_id, 0, (), 0, "") for day in days]
        casebook.record_run(run, certificates=certified)
