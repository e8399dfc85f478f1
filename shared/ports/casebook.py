"""The casebook: what reconciliation found. Runs, differences, exceptions and certificates are kept and never deleted."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from shared.domain.completeness import CompletenessCertificate
from shared.domain.decisions import Decision
from shared.domain.facts import EntityKind
from shared.domain.findings import ExceptionKind, FinanceException, Sighting
from shared.domain.pauses import Pause
from shared.domain.reconciliation import Difference, Mismatch, ReconciliationRun


@dataclass(frozen=True, slots=True)
class JobStatus:
    """How one class of work stands: when it last ran and last succeeded, and since when it has been failing.

    A failed comparison stands until a later one of a window that covers its own succeeds; any other failed run stands
    until the job next succeeds. A success elsewhere does not hide it.
    """

    job: str
    provider: str
    kind: EntityKind | None
    last_run_at: datetime
    last_success_at: datetime | None
    failing: int
    """How many failed runs stand."""
    failing_since: datetime | None
    """When the oldest of them started."""
    error: str
    """What the latest of them says; empty while none stands."""

    @property
    def is_failing(self) -> bool:
        """Return whether anything of this work has failed and not been made good."""
        return self.failing > 0


class Casebook(Protocol):
    """Where results of reconciliation are kept. Raises TransientError when it is down or contended."""

    def record_run(
        self,
        run: ReconciliationRun,
        found: Sequence[Mismatch] = (),
        certificates: Sequence[CompletenessCertificate] = (),
    ) -> ReconciliationRun:
        """Keep a run together with what it changes among the differences and the certificates that it gave, or nothing.

        Returned is the run with the counts of opened and closed. What it changes is decided by
        `domain.reconciliation.conclude` if the run succeeded; a failed run changes none and certifies nothing.
        Recording the same run again is harmless.
        """

    def runs(self, job: str | None = None, limit: int = 100) -> list[ReconciliationRun]:
        """Return recorded runs, of one job if named, the latest first."""

    def status(self) -> list[JobStatus]:
        """Return how each class of work stands, by job, provider and kind: every one that ever ran."""

    def last_success(self, job: str, provider: str = "", kind: EntityKind | None = None) -> datetime | None:
        """Return when the latest successful run of this work started, or None."""

    def open_differences(self, provider: str | None = None, kind: EntityKind | None = None) -> Iterator[Difference]:
        """Yield the differences that no run has closed, oldest first, streaming."""

    def differences_of(self, run_id: str) -> list[Difference]:
        """Return the differences that a run opened or closed, as they stand now."""

    def see_exceptions(self, found: Sequence[FinanceException]) -> int:
        """Open those that are not open and refresh those that are, keeping when they were opened; return how many opened.

        What a decision settles as it is seen stays closed (`domain.findings.seen_again`).
        """

    def close_unseen(self, kinds: Collection[ExceptionKind], by: Sighting) -> int:
        """Close the open exceptions of these kinds that this run has not seen and no later one has; return how many."""

    def close_exceptions(self, exception_ids: Collection[str], closed_at: datetime) -> int:
        """Close these exceptions where they are open; return how many were."""

    def note_decisions(self, decisions: Sequence[Decision], at: datetime) -> int:
        """Note what was decided about exceptions, one decision each, on the last episode of each; return how many it closed.

        What it does is decided by `domain.findings.decided`; a decision about an exception that never was is left out.
        """

    def exceptions(
        self,
        *,
        kinds: Collection[ExceptionKind] | None = None,
        provider: str | None = None,
        subject: str | None = None,
        is_open: bool | None = True,
    ) -> Iterator[FinanceException]:
        """Yield exceptions that match every filter given, oldest first, streaming; `is_open=None` yields closed ones too."""

    def completeness(self, first: date = date.min, last: date = date.max) -> Iterator[CompletenessCertificate]:
        """Yield the certificate that stands for each provider, kind and day within these days, by day, provider and kind."""

    def certificates_of(self, provider: str, kind: EntityKind, day: date) -> list[CompletenessCertificate]:
        """Return every certificate that was ever given for a day, in the order in which they came to stand."""

    def keep_pause(self, pause: Pause) -> None:
        """Keep how a provider's latest pause stands, in place of what was kept of it before."""

    def pauses(self) -> list[Pause]:
        """Return the latest pause of each provider that ever had one, ended or not, by provider."""
