"""The office: what the people of the company do beside the machines.

They drop files; they mend a secret that was wrong for a while and have readmitted what it turned away; they decide about the
exceptions that they are told of, and correct what was linked to nothing; they erase passengers who ask for it.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from local.simulator import Season
from shared.domain.decisions import Choice
from shared.domain.errors import NotFoundError
from shared.domain.findings import FinanceException
from shared.domain.personal import identifier_text
from shared.pipeline import decide as deciding
from shared.pipeline import erase as erasing
from shared.pipeline import readmit as readmitting
from shared.pipeline.decide import Wish
from tests.simulation.auditor import Auditor
from tests.simulation.desk import Paper, is_nameless, papers, payout_of
from tests.simulation.memory.casebook import MemoryCasebook
from tests.simulation.memory.inbox import MemoryInbox
from tests.simulation.privacy import Individual
from tests.simulation.town import OPERATOR_SECRET, PROVIDERS, WEBHOOK_SECRETS

_CHOICES = (Choice.ACCEPT, Choice.WRITE_OFF, Choice.ASSIGN)
_CORRECTS = 0.7
"""How often people look at what they may state anew, and do so."""


class TownSecrets:
    """Secrets of one live version each; those of the providers in `wrong` are not what the providers sign with."""

    def __init__(self) -> None:
        """Start with the right ones."""
        self.wrong: set[str] = set()

    def versions(self, name: str) -> tuple[str, ...]:
        """Return the signing key of a provider, or of the company's people."""
        provider = name.removesuffix("-webhook")
        if provider in self.wrong:
            return ("mistyped",)
        return (WEBHOOK_SECRETS.get(provider, OPERATOR_SECRET),)

    def refresh(self, name: str) -> tuple[str, ...]:
        """Return what is live."""
        return self.versions(name)


@dataclass(slots=True)
class Office:
    """The people of one town, and what they have in hand."""

    season: Season
    deciding: deciding.Deciding
    readmitting: readmitting.Readmitting
    erasing: erasing.Erasing
    secrets: TownSecrets
    casebook: MemoryCasebook
    inbox: MemoryInbox
    auditor: Auditor
    random: Random
    situations: Counter[str]
    may_err: bool
    """Whether some of their files are senseless, or lie where none belongs."""
    to_drop: list[Paper] = field(default_factory=list)
    asked_to_forget: list[Individual] = field(default_factory=list)
    """Who asked to be erased, whatever came of it."""

    def __post_init__(self) -> None:
        """Have the season's files on the desk."""
        self.to_drop = papers(self.season, self.random, may_err=self.may_err)
        for paper in self.to_drop:
            self.auditor.will_be_dropped(paper)

    def drop_next(self) -> None:
        """Drop the next file, if one is left."""
        if self.to_drop:
            paper = self.to_drop.pop(0)
            self.inbox.drop(paper.path, paper.body)
            self.situations["a mapping was declared" if paper.is_mapping else "a file was dropped"] += 1

    def mistype_a_secret(self) -> None:
        """Store a secret that the provider does not sign with."""
        self.secrets.wrong.add(self.random.choice(PROVIDERS))
        self.situations["a secret was wrong for a while"] += 1

    def readmit(self) -> None:
        """Mend the secrets, and let in what they turned away."""
        self.secrets.wrong.clear()
        result = readmitting.readmit(self.readmitting)
        self.situations["a delivery was readmitted"] += sum(result.readmitted.values())

    def decide(self, now: Callable[[], datetime]) -> None:
        """Decide about one of the open exceptions, if there are any."""
        exceptions = list(self.casebook.exceptions())
        if not exceptions:
            return
        nameless = [each for each in exceptions if is_nameless(each.subject)]
        wish = self._wish(self.random.choice(nameless if nameless and self.random.random() < _CORRECTS else exceptions))
        try:
            _, delivery = deciding.decide(wish, self.deciding, now())
        except NotFoundError:
            self.situations["what was to be decided was closed meanwhile"] += 1
            return
        self.auditor.decided(delivery)
        self.situations[f"decided: {wish.choice.value}"] += 1

    def _wish(self, exception: FinanceException) -> Wish:
        """Return what they make of an exception: which payout the bank did not name, they can find out."""
        arrived = exception.at_risk.amount_minor if exception.at_risk else 0
        payout = payout_of(self.season, arrived) if is_nameless(exception.subject) else ""
        if payout and self.random.random() < _CORRECTS:
            return Wish(
                exception.exception_id, Choice.CORRECT, "the bank says so", "hernan", field="payout", value=payout
            )
        choice = self.random.choice(_CHOICES)
        assigned_to = "lucia" if choice is Choice.ASSIGN else ""
        return Wish(exception.exception_id, choice, "looked at", "hernan", assigned_to)

    def hear_of_somebody(self) -> Individual:
        """Have a passenger ask to be erased."""
        whom = self.random.choice(self.auditor.privacy.people)
        self.asked_to_forget.append(whom)
        return whom

    def erase(self, whom: Individual, now: Callable[[], datetime]) -> None:
        """Erase one person by all that is known of them, and promise it."""
        kept_before = frozenset(self.auditor.raw.objects)
        person = whom.person
        known = [identifier_text("email", person.email), identifier_text("number", person.number, "betterez")]
        erased = erasing.erase([each for each in known if each], self.erasing, now(), by="lucia", reason="they asked")
        self.auditor.privacy.promised(whom, kept_before, erased.decision)
        self.situations["a person was erased"] += 1
        self.situations["an erasure made deliveries unreadable"] += erased.deliveries
        self.situations["what was turned away was forgotten with its person"] += erased.rejected
