"""What an export of Stripe's balance transactions or payouts says, row by row, as settlement lines (docs/settlements.md).

Rows carry Stripe's ids, so a row is the same line as the object that the API or a webhook tells of. Which payout a movement
is part of is what the movement itself says (`payout_id`); a link table beside the export is not read, for it may contradict.
"""

from collections.abc import Callable, Mapping

from shared.domain.deliveries import Delivery
from shared.domain.errors import Quarantine, UnreadableError
from shared.domain.facts import EntityKey, EntityKind, Fact, Reading, Value
from shared.providers.stripe import payloads
from shared.providers.stripe.capabilities import NAME
from shared.providers.stripe.report_forms import MOVEMENTS, PAYOUTS
from shared.providers.toolkit.csv_rows import Form, Row, read_numbered, read_table
from shared.providers.toolkit.lifecycle import fact_at
from shared.providers.toolkit.payload_models import require_id
from shared.providers.toolkit.readings import file_reading
from shared.providers.toolkit.values import in_our_words, link, stated


def read_report(delivery: Delivery) -> Reading:
    """Return what an export says; raise UnreadableError where it is none or any of its rows cannot be read."""
    table = read_table(delivery.body, _READERS)
    rows, held = read_numbered(table, _READERS[table.form])
    facts = [fact for _, fact in rows]
    if len({fact.key for fact in facts}) != len(facts):
        raise UnreadableError(Quarantine.IDENTITY_BROKEN, f"an id stands twice in the export of {table.form.name}")
    return file_reading(delivery, f"report.{table.form.name}", facts, held, [line for line, _ in rows])


def _read_movement(row: Row) -> Fact:
    currency = row.currency("currency")
    gross, fee, net = (row.minor(column, currency) for column in ("gross", "fee", "net"))
    if gross - fee != net:
        raise UnreadableError(Quarantine.IDENTITY_BROKEN, "amount less fee is not net")
    source, payout_id = row.text("source"), row.text("payout_id")
    return _fact(
        row,
        stated(
            line_type="movement",
            description=row.required("type"),
            payment=_link(EntityKind.PAYMENT, source, "ch_", "py_"),
            refund=_link(EntityKind.REFUND, source, "re_", "pyr_"),
            # The movement that is the payout itself is no part of it.
            payout=_link(EntityKind.SETTLEMENT_LINE, payout_id, "po_") if payout_id != source else None,
            gross_minor=gross,
            fee_minor=fee,
            net_minor=net,
            currency=currency,
            status=in_our_words(payloads.BALANCE_STATUSES, row.required("status"), "status"),
            settled_at_ms=row.instant_ms("created_at"),
        ),
    )


def _read_payout(row: Row) -> Fact:
    if row.required("livemode").lower() != "true":
        raise UnreadableError(Quarantine.TEST_MODE, "a payout of test mode")
    currency = row.currency("currency")
    return _fact(
        row,
        stated(
            line_type="payout",
            net_minor=row.minor("net", currency),
            currency=currency,
            status=in_our_words(payloads.PAYOUT_STATUSES, row.required("status"), "status"),
            settled_at_ms=row.instant_ms("settled_at"),
        ),
    )


def _fact(row: Row, values: Mapping[str, Value]) -> Fact:
    """Return the statement as of when the export says that it was read; without that, as of when the thing arose."""
    key = EntityKey(EntityKind.SETTLEMENT_LINE, NAME, require_id(row.required("id"), "id"))
    return fact_at(row.instant_ms("told_at" if row.text("told_at") else "created_at"), key, values)


def _link(kind: EntityKind, entity_id: str, *prefixes: str) -> str | None:
    return link(kind, NAME, require_id(entity_id, "source")) if entity_id.startswith(prefixes) else None


_READERS: Mapping[Form, Callable[[Row], Fact]] = {MOVEMENTS: _read_movement, PAYOUTS: _read_payout}
