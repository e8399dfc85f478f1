"""Asiento matches by named rules what nobody has linked, never guesses, and keeps apart what waits and what floats."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from shared.domain.errors import SettingsError
from shared.domain.facts import EntityKey, EntityKind, Value
from shared.domain.findings import ExceptionKind, Owner
from shared.domain.matching import Decision, Pairing, Standing
from shared.domain.matching_rules import RULES, checked
from shared.domain.reconciliation import ReconciliationRun
from shared.domain.times import Window, to_ms
from shared.pipeline.matching import Matching, declared_rules, preview
from shared.pipeline.reconcile import reconcile
from tests.pipeline.small_company import NOON, Company, body

SPAN = Window(NOON - timedelta(days=10), NOON + timedelta(days=60))
DAY = timedelta(days=1)


class Books:
    """A ledger that tests write into, entity by entity."""

    def __init__(self, home: Path) -> None:
        """Open everything, empty."""
        self.company = Company(home)
        self.world = replace(self.company.world, providers=("tiny", "acme"))
        self.matching = Matching(self.company.ledger, ("tiny", "acme", "statement"))

    def tell(self, key: EntityKey, **values: Value) -> EntityKey:
        """State an entity, as of noon."""
        self.company.hear(body(f"{key}-{sorted(values)}", (key, to_ms(NOON), {"currency": "ARS", **values})))
        self.company.derive()
        return key

    def sale(self, name: str, amount_minor: int, days: int = 0, **more: Value) -> EntityKey:
        """State a paid sale."""
        at_ms = to_ms(NOON + days * DAY)
        stated: dict[str, Value] = {
            "sale_type": "sale",
            "status": "paid",
            "total_minor": amount_minor,
            "sold_at_ms": at_ms,
        }
        return self.tell(EntityKey(EntityKind.SALE, "tiny", name), **{**stated, **more})

    def paid(self, name: str, amount_minor: int, days: int = 0, provider: str = "acme", **more: Value) -> EntityKey:
        """State a payment that succeeded."""
        at_ms = to_ms(NOON + days * DAY)
        stated: dict[str, Value] = {"status": "success", "amount_minor": amount_minor, "paid_at_ms": at_ms}
        return self.tell(EntityKey(EntityKind.PAYMENT, provider, name), **{**stated, **more})

    def refunded(self, name: str, amount_minor: int, days: int = 0, provider: str = "tiny", **more: Value) -> EntityKey:
        """State a refund in cash that succeeded."""
        at_ms = to_ms(NOON + days * DAY)
        stated: dict[str, Value] = {"status": "success", "refund_type": "cash", "refunded_at_ms": at_ms}
        return self.tell(
            EntityKey(EntityKind.REFUND, provider, name), **{**stated, "amount_minor": amount_minor, **more}
        )

    def line(
        self, name: str, line_type: str, amount_minor: int, days: int = 0, provider: str = "statement", **more: Value
    ) -> EntityKey:
        """State a settlement line."""
        at_ms = to_ms(NOON + days * DAY)
        stated: dict[str, Value] = {"line_type": line_type, "gross_minor": amount_minor, "net_minor": amount_minor}
        key = EntityKey(EntityKind.SETTLEMENT_LINE, provider, name)
        return self.tell(key, **{**stated, "settled_at_ms": at_ms, **more})

    def decided(self, pairing: Pairing) -> dict[str, Decision]:
        """Return the decisions of a pairing by the subject's id."""
        return {each.subject.key.entity_id: each for each in self.matching.decisions(SPAN, (pairing,))}

    def run(self) -> ReconciliationRun:
        """Run the job."""
        (run,) = reconcile("matching", self.world, SPAN, self.company.clock.now())
        return run


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    """Empty books."""
    books = Books(tmp_path)
    yield books
    books.company.close()


def whys(decision: Decision) -> list[str]:
    """Return why candidates were declined."""
    return [each.why for each in decision.declined]


def test_a_stated_link_stands_above_every_rule(books: Books) -> None:
    """Asiento asks no rule where a provider has said what a payment belongs to, though another sale fits to the cent."""
    books.sale("fits", 500)
    books.paid("p", 500, sale="sale:tiny:elsewhere")
    assert books.decided(Pairing.PAYMENT_TO_SALE) == {}
    assert books.matching.stated[Pairing.PAYMENT_TO_SALE] == 1


def test_the_exact_reference_comes_first(books: Books) -> None:
    """Asiento follows the platform's payment that names the processor's, not the sale that has the same amount."""
    books.sale("same-amount", 500)
    named = books.sale("named", 700)
    books.paid(
        "of-platform", 500, provider="tiny", processor="acme", processor_payment="payment:acme:p", sale=str(named)
    )
    books.paid("p", 500)
    decision = books.decided(Pairing.PAYMENT_TO_SALE)["p"]
    assert (decision.target, decision.rule) == (named, "named_by_the_platform")


def test_amount_currency_and_time_come_last_and_must_leave_one(books: Books) -> None:
    """Asiento matches by amount, currency and time where one sale is left, and declines each other with the reason."""
    fits = books.sale("fits", 500)
    books.sale("other-currency", 500, currency="USD")
    books.sale("too-late", 500, days=3)
    books.paid("p", 500)
    decision = books.decided(Pairing.PAYMENT_TO_SALE)["p"]
    assert (decision.target, decision.rule) == (fits, "same_amount_within_a_day")


def test_a_tie_is_declined_never_chosen(books: Books) -> None:
    """Asiento declines two sales that are alike, and two payments that would have one sale."""
    books.sale("a", 500)
    books.sale("b", 500)
    books.paid("p", 500)
    books.sale("c", 900)
    books.paid("q", 900)
    books.paid("r", 900)
    decided = books.decided(Pairing.PAYMENT_TO_SALE)
    assert {decision.target for decision in decided.values()} == {None}
    assert "one of 2 alike" in whys(decided["p"])
    assert whys(decided["q"])[-1] == whys(decided["r"])[-1] == "others would be matched with it as well"


def test_what_is_linked_already_is_not_given_again(books: Books) -> None:
    """Asiento gives a sale that another payment has already to nobody else by amount."""
    sale = books.sale("s", 500)
    books.paid("first", 500, sale=str(sale))
    books.paid("second", 500)
    decision = books.decided(Pairing.PAYMENT_TO_SALE)["second"]
    assert decision.target is None
    assert "it is matched already" in whys(decision)


def test_a_reference_that_contradicts_is_not_passed_over(books: Books) -> None:
    """Asiento names the payment that a line bears the id of and the cent by which they differ, and guesses no other."""
    books.paid("ch_1", 10_000)
    books.paid("ch_2", 9_999, provider="tiny", processor="acme")
    books.line("l", "payment", 9_999, reference="ch_1")
    decision = books.decided(Pairing.LINE_TO_PAYMENT)["l"]
    assert decision.target is None
    assert [(each.rule, str(each.candidate), each.why) for each in decision.declined] == [
        ("reference_is_the_id", "payment:acme:ch_1", "amount is 10000, not 9999")
    ]


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ({"reference": "ch_1"}, "reference_is_the_id"),
        ({"reference": "auth-7"}, "same_reference"),
        ({}, "same_amount_within_days"),
    ],
    ids=["by id", "by reference", "by amount"],
)
def test_lines_find_their_payment(books: Books, line: dict[str, str], rule: str) -> None:
    """Asiento finds the payment of a bank's line by its id, by what the other side calls it, or by amount and time."""
    payment = books.paid("ch_1", 10_000, provider="tiny", processor="acme", reference="auth-7")
    books.line("l", "payment", 10_000, 3, "statement", **line)
    decision = books.decided(Pairing.LINE_TO_PAYMENT)["l"]
    assert (decision.target, decision.rule) == (payment, rule)


def test_lines_find_their_refund_and_receipts_their_payout(books: Books) -> None:
    """Asiento compares both sides of a movement without their signs: what leaves one account comes to the other."""
    refund = books.refunded("re_1", 500, provider="acme")
    payout = books.line("po_1", "payout", -7_000, provider="acme")
    books.line("back", "refund", -500, days=1)
    books.line("receipt", "receipt", 7_000, days=1)
    books.line("named", "receipt", 7_000, days=1, reference="po_1")
    assert books.decided(Pairing.LINE_TO_REFUND)["back"].target == refund
    receipts = books.decided(Pairing.RECEIPT_TO_PAYOUT)
    assert (receipts["named"].target, receipts["receipt"].target) == (payout, None)
    assert whys(receipts["receipt"])[-1] == "it is matched already"


def test_a_refund_goes_back_by_the_payment_of_the_sale_that_was_paid(books: Books) -> None:
    """Asiento follows changes of a sale back to the one that was paid, and finds the item among its tickets."""
    books.sale("paid", 900)
    payment = books.paid("p", 900, provider="tiny", sale="sale:tiny:paid")
    for before, name in (("paid", "change-1"), ("change-1", "change-2")):
        books.sale(name, 0, days=1, sale_type="change", original_sale=f"sale:tiny:{before}")
    departs = to_ms(NOON + 20 * DAY)
    ticket = books.tell(
        EntityKey(EntityKind.TICKET, "tiny", "t"),
        sale="sale:tiny:change-2",
        fare_minor=900,
        departs_at_ms=departs,
    )
    books.refunded("r", 810, days=2, item_minor=900, original_sale="sale:tiny:change-2")
    assert books.decided(Pairing.REFUND_TO_PAYMENT)["r"].target == payment
    assert books.decided(Pairing.REFUND_TO_TICKET)["r"].target == ticket


def test_a_refund_of_a_sale_that_was_paid_in_several_ways_goes_back_by_all_of_them(books: Books) -> None:
    """Asiento takes the one payment of the refund's amount, and where there is none all payments of the sale together."""
    sale = books.sale("s", 900)
    card = books.paid("card", 700, provider="tiny", sale=str(sale))
    books.paid("cash", 200, provider="tiny", sale=str(sale))
    books.refunded("exactly", 700, item_minor=700, original_sale=str(sale))
    books.refunded("some", 500, item_minor=500, original_sale=str(sale))
    decided = books.decided(Pairing.REFUND_TO_PAYMENT)
    assert (decided["exactly"].target, decided["exactly"].rule) == (card, "same_sale_and_amount")
    assert (decided["some"].target, decided["some"].rule) == (sale, "all_payments_of_the_sale")


def test_what_is_not_expected_is_not_asked_for(books: Books) -> None:
    """Asiento expects no match of a payment that failed, of an exchange's payment, or of a fee."""
    books.paid("failed", 5, status="failed")
    books.refunded("exchanged", 5, refund_type="exchange")
    books.line("fee", "other", -5)
    assert list(books.matching.decisions(SPAN)) == []


def test_waiting_and_unmatched_are_never_mixed(books: Books) -> None:
    """Asiento lets a payment wait until its deadline, then makes one exception of it, and closes that once it is matched."""
    books.paid("p", 500)
    books.company.clock.instant = NOON + timedelta(hours=47)
    run = books.run()
    assert (run.counts["waiting"], run.counts["unmatched"]) == (1, 0)
    assert list(books.company.casebook.exceptions()) == []
    books.company.clock.instant = NOON + timedelta(hours=49)
    run = books.run()
    assert (run.counts["waiting"], run.counts["unmatched"], run.counts["opened"]) == (0, 1, 1)
    (exception,) = books.company.casebook.exceptions()
    assert (exception.kind, exception.owner, str(exception.at_risk)) == (
        ExceptionKind.UNMATCHED,
        Owner.FINANCE,
        "ARS 5.00",
    )
    assert exception.subject == "payment:acme:p payment_to_sale"
    assert exception.evidence["declined 4"] == "same_amount_within_a_day: there is no candidate"
    books.sale("s", 500)
    run = books.run()
    assert (run.counts["matched"], run.counts["closed"]) == (1, 1)
    assert list(books.company.casebook.exceptions()) == []


def test_an_exception_does_not_end_because_nobody_looks_there_any_more(books: Books) -> None:
    """Asiento keeps an exception open while its cause is there, also where the window has moved on, and then closes it."""
    books.paid("p", 500)
    books.company.clock.instant = NOON + timedelta(days=40)
    books.run()
    later = Window(NOON + timedelta(days=39), NOON + timedelta(days=41))
    reconcile("matching", books.world, later, books.company.clock.now())
    assert len(list(books.company.casebook.exceptions())) == 1
    books.sale("s", 500)
    reconcile("matching", books.world, later, books.company.clock.now())
    assert list(books.company.casebook.exceptions()) == []


def test_lines_that_do_not_stand_match_nothing(books: Books) -> None:
    """Asiento passes over the lines of an earlier generation of a statement."""
    books.paid("ch_1", 500, provider="tiny", processor="acme")
    header = EntityKey(EntityKind.SETTLEMENT_LINE, "statement", "statement:bank")
    books.tell(header, line_type="statement", generation=2)
    books.line("old", "payment", 500, statement=str(header), generation=1)
    books.line("new", "payment", 500, statement=str(header), generation=2)
    assert books.decided(Pairing.LINE_TO_PAYMENT).keys() == {"new"}


def test_the_order_of_arrival_decides_nothing(tmp_path: Path) -> None:
    """Asiento comes to the same decisions whatever came first, ties and contended sales among them."""
    seed = 20_261_120
    print(f"seed {seed}")  # noqa: T201  pytest shows it with a failure
    results = []
    for round_ in range(3):
        chance = random.Random(seed)  # noqa: S311  a repeatable choice
        books = Books(tmp_path / str(round_))
        amounts = [chance.choice((500, 600, 700, 700 + number)) for number in range(20)]
        statements = [(kind, number) for number in range(20) for kind in ("sale", "payment")]
        random.Random(round_).shuffle(statements)  # noqa: S311  a repeatable choice
        for kind, number in statements:
            told = books.sale if kind == "sale" else books.paid
            told(f"{kind}-{number}", amounts[number], days=number % 3)
        results.append([(each.subject.key, each.outcome, each.declined) for each in books.matching.decisions(SPAN)])
        books.company.close()
    assert results[0] == results[1] == results[2]
    assert {target is None for _, (target, _), _ in results[0]} == {True, False}


def test_a_preview_shows_every_change_and_nothing_else(books: Books) -> None:
    """Asiento shows what other rules would newly match, no longer match, or match otherwise, without any cap."""
    for number in range(30):
        books.sale(f"s{number}", 1_000 + number)
        books.paid(f"p{number}", 1_000 + number, days=2 if number % 2 else 0)
    wider = tuple(replace(rule, days_before=3) if rule.name == "same_amount_within_a_day" else rule for rule in RULES)
    none = tuple(rule for rule in RULES if rule.pairing is not Pairing.PAYMENT_TO_SALE)
    renamed = tuple(replace(rule, name="amount") if rule.name == "same_amount_within_a_day" else rule for rule in RULES)
    found = {}
    for name, rules in (("wider", wider), ("none", none), ("renamed", renamed), ("same", RULES)):
        changes = list(preview(books.matching, replace(books.matching, rules=rules), SPAN))
        found[name] = (len(changes), {change.what for change in changes})
    assert found == {
        "wider": (15, {"newly matched"}),
        "none": (15, {"newly unmatched"}),
        "renamed": (15, {"matched otherwise"}),
        "same": (0, set()),
    }


def test_many_declined_candidates_are_counted(books: Books) -> None:
    """Asiento names the first candidates that it declines, and counts the rest."""
    for number in range(9):
        books.sale(f"s{number}", 500)
    books.paid("p", 500)
    decision = books.decided(Pairing.PAYMENT_TO_SALE)["p"]
    assert whys(decision)[-2:] == ["one of 9 alike", "and 4 more were declined"]
    assert decision.standing(NOON) is Standing.WAITING


@pytest.mark.parametrize(
    ("document", "mend"),
    [
        ([], "holds the key `rules`"),
        ({"rules": [], "more": 1}, "more: Extra inputs"),
        ({"rules": [{"name": "x", "colour": "red"}]}, "rule x: there is no colour; a rule has name, pairing"),
        ({"rules": [{"name": "x"}]}, "rule x: pairing: Missing required argument|rule x: pairing: Field required"),
        (
            {"rules": [{"name": "x", "pairing": "a", "look_through": "sale", "by": {}}]},
            "rule x: pairing: Input should be",
        ),
    ],
)
def test_says_what_is_wrong_with_a_file_of_rules(document: object, mend: str) -> None:
    """Asiento refuses a file of rules that it does not understand whole, and names the rule and the mend."""
    with pytest.raises(SettingsError, match=mend):
        declared_rules(document)


GOOD_RULE = {"name": "x", "pairing": "payment_to_sale", "look_through": "sale", "by": {"amount": "amount"}}


@pytest.mark.parametrize(
    ("change", "mend"),
    [
        ({"by": {}}, "`by` is empty"),
        ({"by": {"colour": "amount"}}, "no colour of the subject"),
        ({"agree": {"amount": "colour"}}, "no colour of the candidate"),
        ({"where": {"fare_minor": "1"}}, "no fare_minor of the candidate"),
        ({"look_through": "ticket"}, "`target` must name a sale"),
        ({"look_through": "payment", "target": "processor_payment"}, "`target` must name a sale"),
        ({"near": "full moon"}, "`near` is occurred or root_sale"),
        ({"days_after": -1}, "days are counted from 0"),
    ],
)
def test_says_what_cannot_be_true_of_a_rule(change: dict[str, object], mend: str) -> None:
    """Asiento refuses a rule that could never match, or would match the wrong thing."""
    assert declared_rules({"rules": [GOOD_RULE]})
    with pytest.raises(SettingsError, match=mend):
        declared_rules({"rules": [{**GOOD_RULE, **change}]})


def test_the_rules_of_asiento_keep_to_their_own_form() -> None:
    """Asiento's own rules pass the checks that a file of rules must pass, and no name stands twice in a pairing."""
    assert checked(RULES) == RULES
    assert {rule.pairing for rule in RULES} == set(Pairing)
    with pytest.raises(SettingsError, match="stands twice"):
        checked((*RULES, RULES[0]))
