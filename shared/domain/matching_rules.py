"""The rules of matching, in order: the exact reference first; amount, currency and time last.

A file in the same form shows what other rules would do (`asiento match --preview --rules FILE.yaml`, docs/matching.md).
"""

from collections.abc import Iterable

from shared.domain.entities import FIELDS
from shared.domain.errors import SettingsError
from shared.domain.facts import EntityKind
from shared.domain.matching import EXPECTED, Pairing, Rule

_SAME_MONEY = {"amount": "amount", "currency": "currency"}

RULES: tuple[Rule, ...] = (
    # The platform's own payment names the processor's: the processor's is of the same sale.
    Rule(
        name="named_by_the_platform",
        pairing=Pairing.PAYMENT_TO_SALE,
        look_through=EntityKind.PAYMENT,
        by={"key": "processor_payment"},
        target="sale",
        is_decisive=True,
    ),
    Rule(
        name="same_reference",
        pairing=Pairing.PAYMENT_TO_SALE,
        look_through=EntityKind.PAYMENT,
        by={"id": "reference"},
        agree=_SAME_MONEY,
        target="sale",
        is_decisive=True,
    ),
    Rule(
        name="same_sale_number",
        pairing=Pairing.PAYMENT_TO_SALE,
        look_through=EntityKind.SALE,
        by={"reference": "sale_number"},
        agree=_SAME_MONEY,
        is_decisive=True,
    ),
    Rule(
        name="same_amount_within_a_day",
        pairing=Pairing.PAYMENT_TO_SALE,
        look_through=EntityKind.SALE,
        by=_SAME_MONEY,
        where={"sale_type": "sale"},
        days_before=1,
        days_after=1,
        is_exclusive=True,
    ),
    # What goes back goes back by the payment of the sale that was paid, however often the ticket was changed since.
    Rule(
        name="same_sale_and_amount",
        pairing=Pairing.REFUND_TO_PAYMENT,
        look_through=EntityKind.PAYMENT,
        by={"root_sale": "sale", "provider": "provider", **_SAME_MONEY},
        near="root_sale",
        days_before=2,
        days_after=7,
    ),
    Rule(
        name="only_payment_of_the_sale",
        pairing=Pairing.REFUND_TO_PAYMENT,
        look_through=EntityKind.PAYMENT,
        by={"root_sale": "sale", "provider": "provider"},
        agree={"currency": "currency"},
        near="root_sale",
        days_before=2,
        days_after=7,
    ),
    # One refund may go back by several payments: it is then matched with the sale, which is all of them together.
    Rule(
        name="all_payments_of_the_sale",
        pairing=Pairing.REFUND_TO_PAYMENT,
        look_through=EntityKind.PAYMENT,
        by={"root_sale": "sale", "provider": "provider"},
        agree={"currency": "currency"},
        target="sale",
        near="root_sale",
        days_before=2,
        days_after=7,
    ),
    Rule(
        name="item_of_the_sale",
        pairing=Pairing.REFUND_TO_TICKET,
        look_through=EntityKind.TICKET,
        by={"original_sale": "sale", "item_minor": "fare_minor", "currency": "currency"},
        days_before=60,
        days_after=400,
        is_exclusive=True,
    ),
    Rule(
        name="reference_is_the_id",
        pairing=Pairing.LINE_TO_PAYMENT,
        look_through=EntityKind.PAYMENT,
        by={"reference": "id"},
        agree=_SAME_MONEY,
        is_exclusive=True,
        is_decisive=True,
    ),
    Rule(
        name="same_reference",
        pairing=Pairing.LINE_TO_PAYMENT,
        look_through=EntityKind.PAYMENT,
        by={"reference": "reference"},
        agree=_SAME_MONEY,
        is_exclusive=True,
        is_decisive=True,
    ),
    Rule(
        name="same_amount_within_days",
        pairing=Pairing.LINE_TO_PAYMENT,
        look_through=EntityKind.PAYMENT,
        by=_SAME_MONEY,
        # The processor's own payment is evidence of the platform's: the two would always be a tie.
        where={"told_by": "platform"},
        days_before=35,
        days_after=1,
        is_exclusive=True,
    ),
    Rule(
        name="reference_is_the_id",
        pairing=Pairing.LINE_TO_REFUND,
        look_through=EntityKind.REFUND,
        by={"reference": "id"},
        agree=_SAME_MONEY,
        is_exclusive=True,
        is_decisive=True,
    ),
    Rule(
        name="same_amount_within_days",
        pairing=Pairing.LINE_TO_REFUND,
        look_through=EntityKind.REFUND,
        by=_SAME_MONEY,
        days_before=35,
        days_after=1,
        is_exclusive=True,
    ),
    Rule(
        name="reference_is_the_id",
        pairing=Pairing.RECEIPT_TO_PAYOUT,
        look_through=EntityKind.SETTLEMENT_LINE,
        by={"reference": "id"},
        agree={"net": "net", "currency": "currency"},
        where={"line_type": "payout"},
        is_exclusive=True,
        is_decisive=True,
    ),
    Rule(
        name="same_amount_within_days",
        pairing=Pairing.RECEIPT_TO_PAYOUT,
        look_through=EntityKind.SETTLEMENT_LINE,
        by={"net": "net", "currency": "currency"},
        where={"line_type": "payout"},
        days_before=7,
        days_after=2,
        is_exclusive=True,
    ),
)

_MADE_TERMS = frozenset({"key", "id", "provider", "amount", "net", "told_by"})
_TARGETS = {
    Pairing.PAYMENT_TO_SALE: (EntityKind.SALE,),
    Pairing.REFUND_TO_PAYMENT: (EntityKind.PAYMENT, EntityKind.SALE),
    Pairing.REFUND_TO_TICKET: (EntityKind.TICKET,),
    Pairing.LINE_TO_PAYMENT: (EntityKind.PAYMENT,),
    Pairing.LINE_TO_REFUND: (EntityKind.REFUND,),
    Pairing.RECEIPT_TO_PAYOUT: (EntityKind.SETTLEMENT_LINE,),
}
"""What each pairing may be matched with."""


def checked(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """Return rules as they stand; raise SettingsError that names each rule at fault and its mend."""
    kept = tuple(rules)
    faults = [f"{rule.pairing.value}.{rule.name}: {fault}" for rule in kept for fault in _faults(rule)]
    names = [(rule.pairing, rule.name) for rule in kept]
    faults += [
        f"{pairing.value}.{name} stands twice; give each rule of a pairing its own name"
        for pairing, name in sorted({each for each in names if names.count(each) > 1})
    ]
    if faults:
        raise SettingsError("; ".join(faults))
    return kept


def _faults(rule: Rule) -> list[str]:
    subject = {*FIELDS[EXPECTED[rule.pairing].kind], *_MADE_TERMS, "root_sale"}
    candidate = {*FIELDS[rule.look_through], *_MADE_TERMS}
    faults = [] if rule.by else ["`by` is empty: say what must be equal"]
    unknown = [
        *(f"{name} of the subject" for name in (*rule.by, *rule.agree) if name not in subject),
        *(
            f"{name} of the candidate"
            for name in (*rule.by.values(), *rule.agree.values(), *rule.where)
            if name not in candidate
        ),
    ]
    if unknown:
        faults.append(f"there is no {', no '.join(unknown)}; name a field of shared/domain/entities.py or a made term")
    if _target_kind(rule) not in _TARGETS[rule.pairing]:
        kinds = " or ".join(kind.value for kind in _TARGETS[rule.pairing])
        faults.append(f"`target` must name a {kinds}: `key` where that is looked through, or a link")
    if rule.near not in ("occurred", "root_sale"):
        faults.append("`near` is occurred or root_sale")
    if min(rule.days_before, rule.days_after) < 0:
        faults.append("days are counted from 0")
    return faults


def _target_kind(rule: Rule) -> EntityKind | None:
    if rule.target == "key":
        return rule.look_through
    field = FIELDS[rule.look_through].get(rule.target)
    return field.link if field else None
