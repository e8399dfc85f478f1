"""The desk: the files that the company's people have in hand, written from the company's records.

The wallet's release reports overlap and come twice. The bank's statement comes in generations, of which the first is wrong
and which are dropped in any order, and with a mapping that somebody declares before it or after.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import NamedTuple

from local.simulator import Season

_WALLET_HEADER = "DATE,SOURCE_ID,RECORD_TYPE,DESCRIPTION,NET_CREDIT_AMOUNT,NET_DEBIT_AMOUNT,GROSS_AMOUNT,MP_FEE_AMOUNT"
_MAPPING = r"""
title: Banco del Plata, collection account
files: ["plata-*.csv"]
encoding: latin-1
separator: ";"
lines_before_header: 1
decimal_mark: ","
group_mark: "."
times: ["%d/%m/%Y %H:%M"]
zone: America/Argentina/Buenos_Aires
currency: ARS
columns:
  settled_at: Fecha
  line_type: Concepto
  credit: Crédito
  debit: Débito
  reference: Referencia
sign: credit_debit
line_types: {"Acreditación liquidación": receipt, "Comisión": other}
reference: '(po_\w+)'
bad_rows: hold_the_file
reissued: 'plata-(?P<period>\d{4}-\d{2})(?:-v(?P<generation>\d+))?[.]csv'
"""
_BANK_HEADER = "Fecha;Concepto;Crédito;Débito;Referencia"
_BANK_CHARGE_MINOR = 125_000
_ON_THE_WAY = timedelta(hours=20)
"""How long a payout is on its way to the bank."""
_VALUED_BEFORE = timedelta(days=-3)
"""How far before the payout the bank dates one of them: farther than any rule looks."""
_LOCAL = timedelta(hours=-3)


class Paper(NamedTuple):
    """A file to be dropped: its path in the inbox, its bytes, and whether it can be read. A mapping is no delivery."""

    path: str
    body: bytes
    makes_sense: bool = True

    @property
    def is_mapping(self) -> bool:
        """Return whether it says how others are read."""
        return self.path.startswith("mappings/")


def papers(season: Season, random: Random, *, may_err: bool) -> list[Paper]:
    """Return what is on the desk, in the order in which it is dropped: the wallet's in theirs, the bank's in any."""
    wallet, bank = _of_the_wallet(season, may_err=may_err), _of_the_bank(season, may_err=may_err)
    random.shuffle(bank)
    whose = [wallet] * len(wallet) + [bank] * len(bank)
    random.shuffle(whose)
    return [each.pop(0) for each in whose]


def stated(season: Season) -> tuple[int, int]:
    """Return how many lines the bank's right statement has, and what they come to, in centavos."""
    rows = _bank_rows(season)
    return len(rows), sum(amount_minor for _, _, amount_minor, _ in rows)


def nameless(season: Season) -> str:
    """Return the id of the payout that the bank's statement does not name: a person has to say which it was."""
    return next(reversed(season.company.stripe.payouts), "")


def payout_of(season: Season, amount_minor: int) -> str:
    """Return the key of the payout of an amount, as somebody finds out who asks the bank; empty where there is none."""
    payouts = season.company.stripe.payouts.values()
    return next((f"settlement_line:stripe:{each.id}" for each in payouts if each.amount_minor == amount_minor), "")


def is_nameless(subject: str) -> bool:
    """Return whether an exception is about a receipt in the bank's statement that nothing leads from to a payout."""
    return subject.startswith("settlement_line:statement:plata:") and subject.endswith(" receipt_to_payout")


def _of_the_wallet(season: Season, *, may_err: bool) -> list[Paper]:
    rows = list(_wallet_rows(season))
    if not rows:
        return []
    half, whole = _report(rows[: len(rows) // 2 + 1]), _report(rows)
    found = [
        Paper("mercadopago/first-half.csv", half),
        Paper("mercadopago/january.csv", whole),
        Paper("mercadopago/copy of january.csv", whole),
    ]
    if may_err:
        held = _report([*rows[:-1], f"{rows[-1]},spilled over"])
        found = [Paper("mercadopago/january.csv", held, makes_sense=False), Paper("mercadopago/empty.csv", b""), *found]
    return found


def _of_the_bank(season: Season, *, may_err: bool) -> list[Paper]:
    rows = _bank_rows(season)
    if not rows:
        return []
    at, word, amount_minor, reference = rows[0]
    wrong, right = _statement([(at, word, amount_minor + 100, reference), *rows[1:]]), _statement(rows)
    found = [
        Paper("mappings/plata.yaml", _MAPPING.encode()),
        Paper("statement/plata-2026-01.csv", wrong),
        Paper("statement/plata-2026-01-v2.csv", right),
        Paper("statement/again/plata-2026-01.csv", wrong),
    ]
    if may_err:
        unknown = _statement([*rows, (at, "Ajuste", 1, "")])
        found.append(Paper("statement/plata-2026-01-v3.csv", unknown, makes_sense=False))
    return found


def _wallet_rows(season: Season) -> Iterator[str]:
    """Yield the rows of the wallet's release report: a payment is released less its fee, a refund takes all of it back."""
    for payment in season.company.wallet.payments.values():
        gross, fee = payment.amount_minor, payment.fee_minor
        amounts = f"{_major(gross - fee)},0.00,{_major(gross)},-{_major(fee)}"
        yield f"{_at(payment.approved_at_ms)},{payment.id},release,payment,{amounts}"
        for refund in payment.refunds:
            back = _major(refund.amount_minor)
            yield f"{_at(refund.at_ms)},{payment.id},release,refund,0.00,{back},-{back},0.00"


def _bank_rows(season: Season) -> list[tuple[datetime, str, int, str]]:
    """Return the movements of the bank account: each payout of the card processor arrives, and the bank charges for it.

    The last one bears another day and nothing of the payout's name, so that no rule brings them together.
    """
    rows = []
    for payout in season.company.stripe.payouts.values():
        is_nameless = payout.id == nameless(season)
        at = datetime.fromtimestamp(payout.created_s, UTC) + (_VALUED_BEFORE if is_nameless else _ON_THE_WAY)
        reference = "TRANSF DEL EXTERIOR" if is_nameless else f"TRANSF {payout.id} STRIPE"
        rows.append((at, "Acreditación liquidación", payout.amount_minor, reference))
        rows.append((at, "Comisión", -_BANK_CHARGE_MINOR, ""))
    return rows


def _report(rows: Sequence[str]) -> bytes:
    return "\n".join((_WALLET_HEADER, *rows)).encode()


def _statement(rows: Sequence[tuple[datetime, str, int, str]]) -> bytes:
    lines = []
    for at, word, amount_minor, reference in rows:
        credit, debit = (_argentine(max(each, 0)) for each in (amount_minor, -amount_minor))
        lines.append(f"{at + _LOCAL:%d/%m/%Y %H:%M};{word};{credit};{debit};{reference}")
    return "\n".join(("Banco del Plata", _BANK_HEADER, *lines)).encode("latin-1")


def _major(amount_minor: int) -> str:
    whole, cents = divmod(amount_minor, 100)
    return f"{whole}.{cents:02d}"


def _argentine(amount_minor: int) -> str:
    """Return an amount as the bank writes it, nothing where there is none."""
    whole, cents = divmod(amount_minor, 100)
    return f"{whole:,}".replace(",", ".") + f",{cents:02d}" if amount_minor else ""


def _at(instant_ms: int) -> str:
    return datetime.fromtimestamp(instant_ms // 1000, UTC).isoformat()
