"""Pausing: a provider that is down is left alone by every job and process alike, and asked again by itself.

The pause is kept in the casebook, so that it outlives the run that began it. What is not asked meanwhile waits: messages in
the outbox, days without a comparison in failed runs; both are taken up again by the jobs that come after the pause.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import structlog

from shared.domain.errors import AsientoError, PausedError, TransientError
from shared.domain.facts import EntityKey, EntityKind
from shared.domain.pauses import Pause, asks_for_patience, next_pause
from shared.domain.times import Window
from shared.pipeline.reconciliation.world import Reconciling
from shared.ports.casebook import Casebook
from shared.ports.clock import Clock
from shared.ports.provider import Fetched, Listed, ProviderApi

FAILURES_BEFORE_PAUSE = 3
"""So many failures in a row begin a pause; one that names how long it will last begins it at once."""

log = structlog.get_logger("reconcile")


def with_pauses(world: Reconciling) -> Reconciling:
    """Return the world in which no provider is asked while its pause holds."""
    if not world.counterparties:
        return world
    pauses = {pause.provider: pause for pause in world.casebook.pauses()}
    pausing = {
        name: replace(each, api=PausingApi(each.api, Source(name, world.casebook, world.clock, pauses.get(name))))
        for name, each in world.counterparties.items()
    }
    return replace(world, counterparties=pausing)


class Source:
    """How one provider stands as a source: how often it failed in a row, and whether it is paused."""

    def __init__(self, provider: str, casebook: Casebook, clock: Clock, pause: Pause | None) -> None:
        """Start from the pause that the casebook knows of, if there is one."""
        self._provider = provider
        self._casebook = casebook
        self._clock = clock
        self._pause = pause
        self._failures = 0

    @contextmanager
    def asked(self) -> Iterator[None]:
        """Ask the provider something within; raises PausedError without asking while the pause holds.

        An answer that refuses is an answer: only what may pass by itself counts as a failure of the source.
        """
        self._refuse_while_paused()
        try:
            yield
        except TransientError as failure:
            self._failed(failure)
            raise
        except AsientoError:
            self._answered()
            raise
        self._answered()

    def _refuse_while_paused(self) -> None:
        pause = self._pause
        if pause is not None and pause.holds(self._clock.now()):
            raise PausedError(
                f"{self._provider} is paused until {pause.until.isoformat(timespec='seconds')} after failing since "
                f"{pause.since.isoformat(timespec='seconds')} ({pause.reason}); it is asked again by itself",
                pause.until,
            )

    def _answered(self) -> None:
        self._failures = 0
        if self._pause is not None and self._pause.stands:
            self._keep(self._pause.ended(self._clock.now()))
            log.info("source resumed", provider=self._provider)

    def _failed(self, failure: TransientError) -> None:
        """Begin a pause where this failure is one too many, the first after a pause, or asks for one itself."""
        self._failures += 1
        is_on_trial = self._pause is not None and self._pause.stands
        if not (is_on_trial or self._failures >= FAILURES_BEFORE_PAUSE or asks_for_patience(failure)):
            return
        pause = next_pause(self._provider, self._pause, failure, self._clock.now())
        self._failures = 0
        self._keep(pause)
        log.warning("source paused", provider=self._provider, until=pause.until.isoformat(), trials=pause.trials)

    def _keep(self, pause: Pause) -> None:
        self._casebook.keep_pause(pause)
        self._pause = pause


class PausingApi:
    """A provider's API that is not asked while its source is paused."""

    def __init__(self, api: ProviderApi, source: Source) -> None:
        """Wrap an open API."""
        self._api = api
        self._source = source

    def list_window(self, kind: EntityKind, window: Window) -> Iterator[Listed]:
        """Yield what the API lists; raises PausedError while it is paused."""
        with self._source.asked():
            yield from self._api.list_window(kind, window)

    def fetch(self, key: EntityKey) -> Fetched:
        """Fetch one thing; raises PausedError while it is paused."""
        with self._source.asked():
            return self._api.fetch(key)

    def close(self) -> None:
        """Give connections back."""
        self._api.close()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return what some APIs tell beside entities (`ports.provider.AlsoTells`), guarded in the same way."""
        target = getattr(self._api, name)

        def guarded(*asked: Any) -> Any:
            with self._source.asked():
                answer = target(*asked)
            return self._streamed(answer) if isinstance(answer, Iterator) else answer

        return guarded

    def _streamed(self, answer: Iterator[Any]) -> Iterator[Any]:
        with self._source.asked():
            yield from answer
