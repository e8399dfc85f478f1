"""What a release or settlement report of Mercado Pago says, row by row, as settlement lines (docs/settlements.md).

Rows have no id. A row is known by what it says and by how many times the same has been said above it in its file, so
rows that are exactly alike are as many lines, and a file that overlaps another names the same lines again.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from shared.domain.deliveries import Delivery
from shared.domain.errors import Quarantine, UnreadableError
from shared.domain.facts import EntityKey, EntityKind, Fact, Reading
from shared.providers.mercadopago import report_forms as forms
from shared.providers.mercadopago.capabilities import NAME
from shared.providers.toolkit.csv_rows import Form, Row, read_numbered, read_table
from shared.providers.toolkit.lifecycle import fact_at
from shared.providers.toolkit.readings import file_reading
from shared.providers.toolkit.values import in_our_words, link, stated

_HASH_LENGTH = 32
_ID_LENGTH_MAX = 128
_DESCRIPTION_LENGTH_MAX = 64


@dataclass(frozen=True, slots=True)
class _Line:
    """One row, read. Amounts in minor units; gross less fee is net."""

    report: str
    line_type: str
    description: str
    status: str
    source_id: str
    settled_at_ms: int
    currency: str
    gross_minor: int
    fee_minor: int
    net_minor: int

    @property
    def content_hash(self) -> str:
        """Return the digest of what the row says; columns that a report may leave out are no part of it."""
        said = (
            self.report,
            self.line_type,
            self.description,
            self.status,
            self.source_id,
            self.settled_at_ms,
            self.currency,
            self.gross_minor,
            self.fee_minor,
            self.net_minor,
        )
        return sha256("\n".join(map(str, said)).encode()).hexdigest()[:_HASH_LENGTH]


def read_report(delivery: Delivery) -> Reading:
    """Return what a report says; raise UnreadableError where it is no report or contradicts its own total."""
    table = read_table(delivery.body, _READERS)
    rows, held = read_numbered(table, _READERS[table.form])
    lines = [line for _, line in rows]
    if not held:
        _require_total(lines)
    numbers = [number for number, _ in rows]
    return file_reading(delivery, f"report.{table.form.name}", _facts(lines), held, numbers)


def _facts(lines: Sequence[_Line]) -> list[Fact]:
    occurrences: Counter[str] = Counter()
    facts = []
    for line in lines:
        content_hash = line.content_hash
        occurrences[content_hash] += 1
        facts.append(_fact(line, f"row:{content_hash}:{occurrences[content_hash]}"))
    return facts


def _fact(line: _Line, entity_id: str) -> Fact:
    points_at_payment = line.line_type in forms.ABOUT_A_PAYMENT
    values = stated(
        line_type=line.line_type,
        report=line.report,
        description=line.description,
        payment=link(EntityKind.PAYMENT, NAME, line.source_id) if points_at_payment else None,
        gross_minor=line.gross_minor,
        fee_minor=line.fee_minor,
        net_minor=line.net_minor,
        currency=line.currency,
        status=line.status,
        settled_at_ms=line.settled_at_ms,
    )
    return fact_at(line.settled_at_ms, EntityKey(EntityKind.SETTLEMENT_LINE, NAME, entity_id), values)


def _read_release(row: Row) -> _Line:
    currency = _currency(row)
    kept = sum(row.major_or_zero(column, currency) for column in forms.RELEASE_KEPT)
    return _release(row, currency, row.major("gross", currency), kept)


def _read_daily_release(row: Row) -> _Line:
    """Read a row whose gross moves the way that its net does and whose fees always cost."""
    currency = _currency(row)
    gross = row.major("gross", currency)
    kept = sum(row.major_or_zero(column, currency) for column in forms.RELEASE_KEPT)
    return _release(row, currency, -gross if _release_net(row, currency) < 0 else gross, -kept)


def _release(row: Row, currency: str, gross: int, kept: int) -> _Line:
    record_type = row.required("record_type")
    status = in_our_words(forms.RECORD_STATUSES, record_type, "RECORD_TYPE")
    net = _release_net(row, currency)
    _require_identity(net, gross, kept, "credit less debit is not gross with fees, financing, shipping and taxes")
    description = _description(row, "description")
    return _Line(
        report=forms.RELEASE.name,
        line_type=_release_line_type(record_type, description),
        description=description or record_type,
        status="" if status == forms.BALANCE else status,
        source_id=_source_id(row),
        settled_at_ms=row.instant_ms("settled_at"),
        currency=currency,
        gross_minor=gross,
        fee_minor=gross - net,
        net_minor=net,
    )


def _release_net(row: Row, currency: str) -> int:
    return row.major("net_credit", currency) - row.major("net_debit", currency)


def _release_line_type(record_type: str, description: str) -> str:
    by_record = forms.RECORD_LINE_TYPES.get(record_type.lower())
    return by_record or forms.DESCRIPTION_LINE_TYPES.get(description.lower(), forms.OTHER)


def _read_settlement(row: Row) -> _Line:
    transaction_type = _description(row, "transaction_type")
    if not transaction_type:
        raise UnreadableError(Quarantine.MISSING_FIELD, "transaction_type is empty")
    currency = _currency(row)
    net, gross = row.major("net", currency), row.major("gross", currency)
    kept = sum(row.major_or_zero(column, currency) for column in forms.SETTLEMENT_KEPT)
    _require_identity(net, gross, kept, "amount with fees and taxes is not net")
    return _Line(
        report=forms.SETTLEMENT.name,
        line_type=forms.TRANSACTION_LINE_TYPES.get(transaction_type.upper(), forms.OTHER),
        description=transaction_type,
        status="settled",
        source_id=_source_id(row),
        settled_at_ms=row.instant_ms("settled_at" if row.text("settled_at") else "transacted_at"),
        currency=currency,
        gross_minor=gross,
        fee_minor=gross - net,
        net_minor=net,
    )


def _currency(row: Row) -> str:
    return row.currency("currency") if row.text("currency") else forms.CURRENCY


def _description(row: Row, column: str) -> str:
    text = row.text(column)
    if len(text) > _DESCRIPTION_LENGTH_MAX:
        raise UnreadableError(Quarantine.WRONG_TYPE, f"{column} is longer than {_DESCRIPTION_LENGTH_MAX} characters")
    return text


def _source_id(row: Row) -> str:
    text = row.text("source_id")
    if len(text) > _ID_LENGTH_MAX or "/" in text or not text.isprintable():
        raise UnreadableError(Quarantine.WRONG_TYPE, "source_id is no identity")
    return text


def _require_identity(net: int, gross: int, kept: int, broken: str) -> None:
    """Refuse a row that does not add up. What is kept stands in the report as a negative amount."""
    if net != gross + kept:
        raise UnreadableError(Quarantine.IDENTITY_BROKEN, broken)


def _require_total(lines: Sequence[_Line]) -> None:
    """Refuse a report whose opening balance and movements do not come to its total; nobody can say which row is wrong.

    A report with several opening balances or totals, or with none, has nothing to be held against.
    """
    opening = [line for line in lines if line.line_type == forms.OPENING]
    closing = [line for line in lines if line.line_type == forms.CLOSING]
    if len(opening) != 1 or len(closing) != 1:
        return
    moved = sum(line.net_minor for line in lines if line.line_type not in forms.BALANCES)
    if opening[0].net_minor + moved != closing[0].net_minor:
        raise UnreadableError(
            Quarantine.IDENTITY_BROKEN, "the opening balance with all movements is not the total of the report"
        )


_READERS: Mapping[Form, Callable[[Row], _Line]] = {
    # The layout with more columns first: what lacks any of them is read as the plain one.
    forms.DAILY_RELEASE: _read_daily_release,
    forms.RELEASE: _read_release,
    forms.SETTLEMENT: _read_settlement,
}
