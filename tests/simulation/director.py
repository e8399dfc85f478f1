"""The director: many actors, one of which runs at a time, and every port call is a step at which anything may happen.

Actors are threads that hand a baton to each other: an actor runs from one step to the next, and who runs then is drawn
from the seed. The same seed therefore gives the same interleaving, whatever the machine does.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import Enum, auto
from random import Random
from typing import TypeVar

from shared.domain.errors import TransientError

T = TypeVar("T")


class Fate(Enum):
    """What happens at one port call."""

    NOTHING = auto()
    FAIL_BEFORE = auto()
    """The other side is down; nothing was done."""
    FAIL_AFTER = auto()
    """It was done, and the answer got lost."""
    DIE_BEFORE = auto()
    DIE_AFTER = auto()
    """The process dies when it was done."""


class KilledError(BaseException):
    """This actor's process is gone. No `except Exception` of the product may see it, as nothing sees a kill -9."""


@dataclass(slots=True)
class Actor:
    """One run of one verb, as a process of its own."""

    name: str
    work: Callable[[], None]
    turn: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    thread: threading.Thread | None = None
    has_ended: bool = False
    was_killed: bool = False
    error: BaseException | None = None
    must_die: bool = False


_CURRENT: ContextVar[Actor | None] = ContextVar("actor", default=None)


class Director:
    """Runs actors in turn. `decide` draws the fate of each port call; `watch` is told of every step that was taken."""

    def __init__(self, random: Random, decide: Callable[[str, str], Fate], watch: Callable[[str], None]) -> None:
        """Start with nobody on the stage."""
        self._random = random
        self._decide = decide
        self._watch = watch
        self._stage = threading.Semaphore(0)
        self.actors: list[Actor] = []
        self.steps = 0
        self.last_call = "nothing yet"

    @property
    def on_stage(self) -> str:
        """The name of the actor who runs, empty where nobody does."""
        actor = _CURRENT.get()
        return actor.name if actor else ""

    def start(self, name: str, work: Callable[[], None]) -> Actor:
        """Let an actor run up to its first step."""
        actor = Actor(name, work)
        actor.thread = threading.Thread(target=self._play, args=(actor,), name=name, daemon=True)
        self.actors.append(actor)
        actor.thread.start()
        self._hand_over(actor)
        return actor

    def go_on(self) -> None:
        """Let one actor, drawn from the seed, run to its next step."""
        self._hand_over(self._random.choice(self.actors))

    def finish(self) -> None:
        """Let everybody come to an end."""
        while self.actors:
            self.go_on()

    def kill_all(self) -> int:
        """Let everybody die where they stand, as in a power cut; return how many that were."""
        dying = list(self.actors)
        for actor in dying:
            actor.must_die = True
            while not actor.has_ended:
                self._hand_over(actor)
        return len(dying)

    def abandon(self) -> None:
        """Leave nobody waiting when the story has broken off."""
        while self.actors:
            with suppress(BaseException):
                self.kill_all()

    def step(self, call: str, effect: Callable[[], T]) -> T:
        """Take one step: others may run before it, and it may fail or end its actor, before or after its effect."""
        actor = _CURRENT.get()
        name = actor.name if actor else ""
        fate = self._decide(name, call)
        if actor is not None:
            self._pause(actor)
        if fate is Fate.DIE_BEFORE:
            raise KilledError(call)
        if fate is Fate.FAIL_BEFORE:
            raise TransientError(f"{call}: the other side is down; try again later")
        result = effect()
        self.steps += 1
        self.last_call = f"{name or 'alone'}: {call}"
        self._watch(call)
        if fate is Fate.DIE_AFTER:
            raise KilledError(call)
        if fate is Fate.FAIL_AFTER:
            raise TransientError(f"{call}: no answer came; try again later")
        return result

    def _play(self, actor: Actor) -> None:
        actor.turn.acquire()
        _CURRENT.set(actor)
        try:
            actor.work()
        except KilledError:
            actor.was_killed = True
        except BaseException as error:  # noqa: BLE001  handed to whoever has the stage; none is swallowed
            actor.error = error
        actor.has_ended = True
        self._stage.release()

    def _pause(self, actor: Actor) -> None:
        self._stage.release()
        actor.turn.acquire()
        if actor.must_die:
            raise KilledError(actor.name)

    def _hand_over(self, actor: Actor) -> None:
        actor.turn.release()
        self._stage.acquire()
        if actor.has_ended:
            if actor.thread is not None:
                actor.thread.join()
            self.actors.remove(actor)
            if actor.error is not None:
                raise actor.error
