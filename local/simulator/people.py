"""Invented customers and passengers: their names must flow through Asiento and appear nowhere in it."""

from random import Random

from local.simulator.ids import Ids
from local.simulator.records import Person

_FIRST_NAMES = (
    "Zulema", "Eusebio", "Nélida", "Baltasar", "Griselda", "Isidro", "Mirta", "Evaristo", "Clotilde", "Anselmo",
    "Azucena", "Crisanto", "Delfina", "Fermín", "Hortensia", "Leandro", "Ofelia", "Porfirio", "Rosaura", "Teófilo",
)  # fmt: skip
_LAST_NAMES = (
    "Arrascaeta", "Bustingorry", "Cañumil", "Dellavedova", "Etchegoyen", "Fredotovich", "Gorosito", "Huenchumán",
    "Irigoyen", "Jaimerena", "Kaluza", "Lizarralde", "Mondragón", "Ñancupil", "Ostrowski", "Pirovano", "Quiñones",
    "Rebufello", "Szymanski", "Tognarelli",
)  # fmt: skip
_KNOWN_SHARE = 0.4
"""How many buyers on the web have bought before."""


class People:
    """Everybody who buys or travels."""

    def __init__(self, rng: Random, ids: Ids) -> None:
        """Start with nobody known."""
        self._rng = rng
        self._ids = ids
        self._known: list[Person] = []

    def buyer(self, at_ms: int) -> Person:
        """Return a customer who buys on the web: a new one, or one who comes back."""
        if self._known and self._rng.random() < _KNOWN_SHARE:
            return self._rng.choice(self._known)
        person = self._person(at_ms, has_mail=True)
        self._known.append(person)
        return person

    def passengers(self, at_ms: int, count: int, buyer: Person | None) -> tuple[Person, ...]:
        """Return who travels: the buyer, if there is one, and company."""
        first = (buyer,) if buyer else (self._person(at_ms, has_mail=False),)
        return (*first, *(self._person(at_ms, has_mail=False) for _ in range(count - 1)))

    def _person(self, at_ms: int, *, has_mail: bool) -> Person:
        first, last = self._rng.choice(_FIRST_NAMES), self._rng.choice(_LAST_NAMES)
        number = f"C{self._ids.human(7)}"
        email = f"{first}.{last}.{number}@correo.example".lower() if has_mail else ""
        return Person(self._ids.record(at_ms), number, first, last, email, at_ms, at_ms)
