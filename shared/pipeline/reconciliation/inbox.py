"""Inbox: files that were dropped are taken in, each as a delivery; what cannot be one is set aside with the reason.

A file is taken away only once its bytes are kept. Dying in between takes it in again, and the same file twice is a duplicate.
"""

from collections import Counter

from shared.domain.errors import AsientoError, NotFoundError, SettingsError, TerminalError
from shared.domain.reconciliation import ReconciliationRun
from shared.pipeline.reconciliation.recording import Report, Work, recorded
from shared.pipeline.reconciliation.world import Reconciling
from shared.pipeline.take_in import FILE_BYTES_MAX, Intake, take_in
from shared.ports.inbox import Dropped

JOB = "inbox"


def inbox(world: Reconciling) -> list[ReconciliationRun]:
    """Take in all that waits in the inbox. A file for which a setting is missing waits on and fails the run.

    A world without an inbox has nothing to do and leaves no record.
    """
    intake = world.intake
    return [] if intake is None else [recorded(world, Work(JOB), lambda _: _TakingAll(world, intake).run())]


class _TakingAll:
    """One run of the job in progress."""

    def __init__(self, world: Reconciling, intake: Intake) -> None:
        self._world = world
        self._intake = intake
        self._counts: Counter[str] = Counter(taken_in=0, set_aside=0, left=0)
        self._failure: AsientoError | None = None

    def run(self) -> Report:
        for dropped in self._intake.inbox.waiting():
            self._take(dropped)
        return Report(self._counts, self._failure)

    def _take(self, dropped: Dropped) -> None:
        try:
            self._keep(dropped)
        except NotFoundError:
            return  # another run has taken it, or somebody has dropped another in its place: that one comes next time
        except SettingsError as missing:
            self._note("left", missing)
        except TerminalError as unfit:
            self._intake.inbox.set_aside(dropped, str(unfit))
            self._note("set_aside", unfit)
        else:
            self._counts["taken_in"] += 1

    def _keep(self, dropped: Dropped) -> None:
        if not dropped.provider:
            raise SettingsError(
                f"{dropped.path} lies in no provider's folder; move it into one, for example mercadopago/"
            )
        if dropped.size_bytes > FILE_BYTES_MAX:
            raise TerminalError(f"{dropped.path} exceeds {FILE_BYTES_MAX} bytes; ask for reports of shorter periods")
        body = self._intake.inbox.read(dropped)
        take_in(dropped.path, body, dropped.provider, self._intake.taking, self._world.clock.now())
        self._intake.inbox.remove(dropped)

    def _note(self, what: str, error: AsientoError) -> None:
        self._counts[what] += 1
        self._failure = self._failure or error
