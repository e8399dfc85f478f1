"""What a statement says, row by row, as settlement lines (docs/settlements.md).

A line belongs to a statement, and a statement to a generation; of each statement the lines of the highest generation stand.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from shared.domain.deliveries import STATEMENT, Delivery
from shared.domain.errors import Quarantine, UnreadableError
from shared.domain.facts import EntityKey, EntityKind, Fact, Reading, Value, Version
from shared.domain.times import to_ms
from shared.providers.statement.capabilities import NAME
from shared.providers.statement.payloads import NEGATIVE_LINE_TYPES, Link, StatementMapping
from shared.providers.statement.report_forms import form_of
from shared.providers.toolkit.csv_rows import Row, read_numbered, read_table
from shared.providers.toolkit.values import link, stated

_HASH_LENGTH = 32
_READABLE_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_PERIOD = re.compile(r"[A-Za-z0-9_.-]{1,32}")
_TEXT_LENGTH_MAX = 128
_GENERATIONS = 10**9
"""Generations of one revision; a revision of the mapping outranks them all."""


@dataclass(frozen=True, slots=True)
class Issue:
    """Which statement a file is, and which generation of it."""

    statement: str
    """The mapping, and the period where the statement is issued again."""
    revision: int
    generation: int

    @property
    def rank(self) -> int:
        """Return the order of generations: first by revision of the mapping, then as they were issued."""
        return self.revision * _GENERATIONS + self.generation

    @property
    def key(self) -> EntityKey:
        """Return the statement as an entity."""
        return EntityKey(EntityKind.SETTLEMENT_LINE, NAME, f"{STATEMENT}:{self.statement}")

    def line_key(self, row_id: str) -> EntityKey:
        """Return one of its lines as an entity."""
        place = f"{self.statement}:r{self.revision}:g{self.generation}:{row_id}"
        return EntityKey(EntityKind.SETTLEMENT_LINE, NAME, place)


def read_report(delivery: Delivery, mapping: StatementMapping) -> Reading:
    """Return what a file says by its mapping; raise UnreadableError where it cannot be read with certainty."""
    issue = issue_of(delivery.target, mapping)
    table = read_table(delivery.body, [form_of(mapping)])
    rows, held = read_numbered(table, lambda row: (_identity(row, mapping), _values(row, mapping)))
    lines = [line for line, _ in rows]
    row_ids = _row_ids(lines, [each for _, each in rows], mapping)
    statement = _fact(issue, issue.key, {"line_type": STATEMENT, "report": mapping.name, "generation": issue.rank})
    facts = [
        _fact(
            issue,
            issue.line_key(row_id),
            {**values, "report": mapping.name, "statement": str(issue.key), "generation": issue.rank},
        )
        for row_id, (_, (_, values)) in zip(row_ids, rows, strict=True)
    ]
    return Reading(
        event_key=f"{NAME}:file:{_event_id(delivery, mapping, issue)}",
        event_type="report.statement",
        occurred_at_ms=to_ms(delivery.received_at),
        content_digest=sha256(f"{delivery.body_sha256}{mapping.digest}".encode()).hexdigest(),
        facts=(*facts, statement),
        held=held,
        lines=(*lines, 0),
    )


def issue_of(file_name: str, mapping: StatementMapping) -> Issue:
    """Return which statement and generation a file is: by its name where statements are issued again, for ever one otherwise.

    The order of arrival is no generation: it would let an old file that is sent again stand instead of the corrected one.
    """
    if not mapping.reissued:
        return Issue(mapping.name, mapping.revision, 0)
    named = re.fullmatch(mapping.reissued, file_name)
    period = named["period"] if named else ""
    generation = (named["generation"] if named else "") or "1"
    if not _PERIOD.fullmatch(period) or not (generation.isascii() and generation.isdigit() and len(generation) <= 9):  # noqa: PLR2004  below _GENERATIONS
        raise UnreadableError(
            Quarantine.MISSING_FIELD,
            f"the file's name does not tell period and generation as mapping {mapping.name} declares in `reissued`",
        )
    return Issue(f"{mapping.name}:{period}", mapping.revision, int(generation))


def _event_id(delivery: Delivery, mapping: StatementMapping, issue: Issue) -> str:
    """Return the identity of the file: a generation is one event, so another content under its name is a conflict."""
    if mapping.reissued:
        return f"{issue.statement}:r{issue.revision}:g{issue.generation}"
    return f"{delivery.body_sha256}:{mapping.digest[:_HASH_LENGTH]}"


def _fact(issue: Issue, key: EntityKey, values: dict[str, Value]) -> Fact:
    """State values as of the generation: the statement's own generation is then the highest that ever came."""
    return Fact(key, Version(issue.rank), values)


def _row_ids(
    lines: Sequence[int], rows: Sequence[tuple[str, dict[str, Value]]], mapping: StatementMapping
) -> list[str]:
    if mapping.identity:
        _refuse_repeated([identity for identity, _ in rows], lines)
        return [identity for identity, _ in rows]
    occurrences: Counter[str] = Counter()
    row_ids = []
    for _, values in rows:
        said = "\n".join(f"{name}={value}" for name, value in sorted(values.items()))
        content_hash = sha256(said.encode()).hexdigest()[:_HASH_LENGTH]
        occurrences[content_hash] += 1
        row_ids.append(f"row:{content_hash}:{occurrences[content_hash]}")
    return row_ids


def _refuse_repeated(identities: Sequence[str], lines: Sequence[int]) -> None:
    places: dict[str, list[int]] = defaultdict(list)
    for identity, line in zip(identities, lines, strict=True):
        places[identity].append(line)
    repeated = next((numbers for numbers in places.values() if len(numbers) > 1), None)
    if repeated:
        raise UnreadableError(
            Quarantine.IDENTITY_BROKEN,
            f"lines {', '.join(map(str, repeated))} bear one identity; name more columns in `identity`, or none",
        )


def _identity(row: Row, mapping: StatementMapping) -> str:
    if not mapping.identity:
        return ""
    parts = [row.required(f"identity {place}") for place, _ in enumerate(mapping.identity, start=1)]
    text = "_".join(parts)
    if len(parts) == 1 and _READABLE_ID.fullmatch(text):
        return f"id:{text}"
    return f"id:{sha256(chr(0).join(parts).encode()).hexdigest()[:_HASH_LENGTH]}"


def _values(row: Row, mapping: StatementMapping) -> dict[str, Value]:
    line_type, description = _line_type(row, mapping)
    currency = row.currency("currency") if mapping.columns.currency else mapping.currency
    gross, fee, net = _amounts(row, mapping, line_type, currency)
    return stated(
        line_type=line_type,
        description=description,
        payment=_link(EntityKind.PAYMENT, row.text("payment"), mapping.payment),
        refund=_link(EntityKind.REFUND, row.text("refund"), mapping.refund),
        reference=_part(mapping.reference, _short(row, "reference")),
        gross_minor=gross,
        fee_minor=fee,
        net_minor=net,
        currency=currency,
        settled_at_ms=row.instant_ms("settled_at"),
    )


def _line_type(row: Row, mapping: StatementMapping) -> tuple[str, str]:
    """Return the line's type in our words, and its description in theirs."""
    described = _short(row, "description")
    if mapping.line_type is not None:
        return mapping.line_type, described
    word = row.required("line_type")
    meant = {theirs.casefold(): ours for theirs, ours in mapping.line_types.items()}.get(word.casefold())
    if meant is None and mapping.unknown_line_types == "hold":
        raise UnreadableError(
            Quarantine.UNKNOWN_STATUS, "line_type is a word that line_types does not hold; add its meaning there"
        )
    return meant or "other", described or word[:_TEXT_LENGTH_MAX]


def _amounts(row: Row, mapping: StatementMapping, line_type: str, currency: str) -> tuple[int, int, int]:
    """Return gross, fee and net, signed as money moves to the company; gross less fee is net, or the row is refused."""
    columns = mapping.columns
    gross = _gross(row, mapping, line_type, currency)
    fee = row.major_or_zero("fee", currency)
    fee = -fee if mapping.fees == "negative" else fee
    net = _turned(row.major("net", currency), mapping, line_type) if columns.net else gross - fee
    if gross - fee != net:
        raise UnreadableError(Quarantine.IDENTITY_BROKEN, "amount less fee is not net")
    return gross, fee, net


def _gross(row: Row, mapping: StatementMapping, line_type: str, currency: str) -> int:
    if mapping.sign != "credit_debit":
        return _turned(row.major("amount", currency), mapping, line_type)
    if not (row.text("credit") or row.text("debit")):
        raise UnreadableError(Quarantine.MISSING_FIELD, "credit and debit are both empty")
    credit, debit = row.major_or_zero("credit", currency), row.major_or_zero("debit", currency)
    if credit and debit:
        raise UnreadableError(Quarantine.IDENTITY_BROKEN, "credit and debit both hold an amount")
    # Some write a debit with its sign, some leave the sign to the column.
    return credit - abs(debit)


def _turned(amount_minor: int, mapping: StatementMapping, line_type: str) -> int:
    if mapping.sign == "inverted":
        return -amount_minor
    if mapping.sign != "by_line_type":
        return amount_minor
    if amount_minor < 0:
        raise UnreadableError(Quarantine.WRONG_TYPE, "an amount has a sign where the mapping says that none has")
    return -amount_minor if line_type in NEGATIVE_LINE_TYPES else amount_minor


def _link(kind: EntityKind, cell: str, declared: Link | None) -> str | None:
    if declared is None:
        return None
    entity_id = _part(declared.pattern, cell)
    if len(entity_id) > _TEXT_LENGTH_MAX or "/" in entity_id or not entity_id.isprintable():
        raise UnreadableError(Quarantine.WRONG_TYPE, f"{kind.value} is no identity")
    return link(kind, declared.provider, entity_id)


def _part(pattern: str, cell: str) -> str:
    found = re.search(pattern, cell) if cell else None
    return (found[1] or "") if found else ""


def _short(row: Row, column: str) -> str:
    text = row.text(column)
    if len(text) > _TEXT_LENGTH_MAX:
        raise UnreadableError(Quarantine.WRONG_TYPE, f"{column} is longer than {_TEXT_LENGTH_MAX} characters")
    return text
