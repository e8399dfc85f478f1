"""The office: what the people of the company do beside the machines.

They drop the wallet's reports, also one with a row that cannot be read and then its correction; they mend a secret that was
wrong for a while and have readmitted what it turned away; they decide about the exceptions that they are told of.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

from local.simulator import Season
from shared.domain.decisions import Choice
from shared.domain.errors import NotFoundError
from shared.pipeline import decide as deciding
from shared.pipeline import readmit as readmitting
from tests.simulation.auditor import Auditor
from tests.simulation.memory.casebook import MemoryCasebook
from tests.simulation.memory.inbox import MemoryInbox
from tests.simulation.town import OPERATOR_SECRET, PROVIDERS, WEBHOOK_SECRETS

_HEADER = "DATE,SOURCE_ID,RECORD_TYPE,DESCRIPTION,NET_CREDIT_AMOUNT,NET_DEBIT_AMOUNT,GROSS_AMOUNT,MP_FEE_AMOUNT"
_CHOICES = (Choice.ACCEPT, Choice.WRITE_OFF, Choice.ASSIGN)


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
    secrets: TownSecrets
    casebook: MemoryCasebook
    inbox: MemoryInbox
    auditor: Auditor
    random: Random
    situations: Counter[str]
    may_err: bool
    """Whether some of their files are senseless, or lie where none belongs."""
    to_drop: list[tuple[str, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Have the reports of the season on the desk: one of half the rows, one of all, and the same again."""
        rows = list(_rows(self.season))
        if not rows:
            return
        half, whole = _report(rows[: len(rows) // 2 + 1]), _report(rows)
        self.auditor.will_be_dropped(whole, makes_sense=True)
        self.auditor.will_be_dropped(half, makes_sense=True)
        if self.may_err:
            held = _report([*rows[:-1], f"{rows[-1]},spilled over"])
            self.auditor.will_be_dropped(held, makes_sense=False)
            self.to_drop += [("mercadopago/january.csv", held), ("mercadopago/empty.csv", b"")]
        self.to_drop += [
            ("mercadopago/first-half.csv", half),
            ("mercadopago/january.csv", whole),
            ("mercadopago/copy of january.csv", whole),
        ]

    def drop_next(self) -> None:
        """Drop the next file, if one is left."""
        if self.to_drop:
            self.inbox.drop(*self.to_drop.pop(0))
            self.situations["a file was dropped"] += 1

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
        exception = self.random.choice(exceptions)
        choice = self.random.choice(_CHOICES)
        assigned_to = "lucia" if choice is Choice.ASSIGN else ""
        wish = deciding.Wish(exception.exception_id, choice, "looked at", "hernan", assigned_to)
        try:
            _, delivery = deciding.decide(wish, self.deciding, now())
        except NotFoundError:
            self.situations["what was to be decided was closed meanwhile"] += 1
            return
        self.auditor.decided(delivery)
        self.situations[f"decided: {choice.value}"] += 1


def _rows(season: Season) -> Iterator[str]:
    """Yield the rows of the wallet's release report: a payment is released less its fee, a refund takes all of it back."""
    for payment in season.company.wallet.payments.values():
        gross, fee = payment.amount_minor, payment.fee_minor
        amounts = f"{_major(gross - fee)},0.00,{_major(gross)},-{_major(fee)}"
        yield f"{_at(payment.approved_at_ms)},{payment.id},release,payment,{amounts}"
        for refund in payment.refunds:
            back = _major(refund.amount_minor)
            yield f"{_at(refund.at_ms)},{payment.id},release,refund,0.00,{back},-{back},0.00"


def _report(rows: Sequence[str]) -> bytes:
    return "\n".join((_HEADER, *rows)).encode()


def _major(amount_minor: int) -> str:
    whole, cents = divmod(amount_minor, 100)
    return f"{whole}.{cents:02d}"


def _at(instant_ms: int) -> str:
    return datetime.fromtimestamp(instant_ms // 1000, UTC).isoformat()
