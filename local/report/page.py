"""The page: what is certified, month by month, with the way from each figure to its bytes. One file, and no script."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby

from local.report.certificates import certificate_section, restatements_section
from local.report.drawing import amount_bar, step_bar, waterfall
from local.report.drill import Drill
from local.report.figures import ROUTES_MAX, UNEARNED_FARES, Account, Coverage, MonthFigures
from local.report.markup import Markup, joined, tag
from local.report.style import POLICY, SHEET
from local.report.tables import Row, money, table
from shared.bi.restatement import Restatement
from shared.domain.times import BUSINESS_ZONE

MOVEMENT_NAMES = {
    "opening": "stood as the month began",
    "closing": "stood as it ended",
    "ticket_issued": "tickets sold",
    "ticket_issued_in_exchange": "tickets issued in exchange",
    "ticket_voided": "tickets voided",
    "fare_earned": "travelled",
    "no_show_kept": "did not come",
    "fare_expired": "expired",
    "fare_forfeited": "cancelled without a refund",
    "item_refunded": "given back for cash",
    "item_exchanged": "given back for another ticket",
    "payment_captured": "customers paid",
    "payment_reversed": "payments taken back",
    "refund_paid": "refunded in cash",
    "paid_out": "paid out to the bank",
    "fee_told": "fees",
    "fee_told_settled": "fees, settled otherwise",
    "fee_withheld": "fees withheld",
    "processor_charged": "charges of the processor",
    "dispute_taken": "taken for disputes",
    "unexplained_movement": "not explained",
}
"""What finance calls the movements; a type of entry that is not here is shown by its own name."""


def report_page(
    months: Sequence[MonthFigures], restatements: Iterable[Restatement], drill: Drill, made_at: datetime
) -> str:
    """Return the whole page. `months` come by business unit, currency and month; `made_at` is when it was asked for."""
    books = [
        ((unit, currency), list(of_book))
        for (unit, currency), of_book in groupby(
            months, key=lambda each: (each.grain.business_unit, each.grain.currency)
        )
    ]
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", "Asiento: certified months"),
        tag("style", Markup(SHEET)),
    )
    body = tag(
        "body",
        tag("a", "Skip to the figures", href="#figures", class_="skip"),
        tag("header", _introduction(months, made_at), _contents(books)),
        tag(
            "main",
            *(
                _book(f"book-{place}", months_of_book, drill)
                for place, (_, months_of_book) in enumerate(books, start=1)
            ),
            restatements_section(restatements),
            id="figures",
        ),
        tag("footer", _last_word()),
    )
    return "<!doctype html>\n" + tag("html", head, body, lang="en") + "\n"


def _introduction(months: Sequence[MonthFigures], made_at: datetime) -> Markup:
    span = sorted({each.grain.month for each in months})
    local = made_at.astimezone(BUSINESS_ZONE)
    return joined(
        [
            tag("h1", "Certified months"),
            tag(
                "p",
                f"{len(months)} certified months of business units and currencies, {span[0]} to {span[-1]}. "
                "A month that is not certified does not appear: two derivations disagreed on it, or something in it is open.",
            ),
            tag(
                "p",
                f"Made on {local:%d %B %Y at %H:%M} Buenos Aires time, from the published views alone.",
                class_="quiet",
            ),
            tag(
                "p",
                "Of movements, a grey bar is what stood, a blue one what came to it, an orange one what went off it; ",
                "each bar begins where the one above ended.",
                class_="quiet",
            ),
        ]
    )


def _contents(books: Sequence[tuple[tuple[str, str], list[MonthFigures]]]) -> Markup:
    items: list[Markup] = []
    for place, ((unit, currency), months) in enumerate(books, start=1):
        items.append(tag("li", tag("a", f"{unit} {currency}", href=f"#book-{place}")))
        items += [
            tag(
                "li",
                tag("a", each.grain.month, href=f"#book-{place}-{each.grain.month}", aria_label=f"{unit} {each.grain}"),
            )
            for each in months
        ]
    items.append(tag("li", tag("a", "Restatements", href="#restatements")))
    return tag("nav", tag("ul", items), aria_label="Contents")


def _book(anchor: str, months: list[MonthFigures], drill: Drill) -> Markup:
    grain = months[0].grain
    return tag(
        "section",
        tag("h2", f"{grain.business_unit}, {grain.currency}", id=anchor),
        _overview(months),
        *(_month(f"{anchor}-{each.grain.month}", each, drill) for each in months),
        aria_labelledby=anchor,
    )


def _overview(months: list[MonthFigures]) -> Markup:
    largest = max((each.earned_minor for each in months), default=0)
    rows = [
        Row(
            each.grain.month,
            (
                f"{each.tickets:,}",
                money(each, each.earned_minor),
                amount_bar(each.earned_minor, largest),
                money(each, each.captured_minor),
                money(each, each.refunded_minor),
                money(each, each.captured_minor - each.refunded_minor),
            ),
        )
        for each in months
    ]
    headings = ("month", ">tickets", ">revenue", "|", ">customers paid", ">refunded in cash", ">cash in all")
    return table(f"Revenue and cash by month, {months[0].grain.currency}", headings, rows)


def _month(anchor: str, month: MonthFigures, drill: Drill) -> Markup:
    sections = [
        tag("h3", month.grain.month, id=anchor),
        _revenue(month, drill),
        _cash(month),
        *(_movements(month, account, drill) for account in month.accounts),
        _coverage(month),
        certificate_section(month.certificate),
    ]
    return tag("section", *sections, aria_labelledby=anchor)


def _revenue(month: MonthFigures, drill: Drill) -> Markup:
    if month.largest_day is None:
        return tag("p", "No ticket of this month travelled.")
    day = month.largest_day
    return joined(
        [
            tag(
                "p",
                f"Revenue {month.grain.currency} {money(month, month.earned_minor)}, ",
                f"of {month.tickets:,} tickets whose trip departed.",
            ),
            drill.into(
                f"The day and route with the most of it, {day['business_day']}: from the figure to the bytes",
                "viz.revenue_by_day_route",
                "earned_minor",
                day,
            ),
        ]
    )


def _cash(month: MonthFigures) -> Markup:
    if not month.cash:
        return tag("p", "No money moved in this month.")
    rows = [
        Row(
            each.processor,
            (
                money(month, each.captured_minor),
                money(month, each.refunded_minor),
                money(month, each.captured_minor - each.refunded_minor),
            ),
        )
        for each in month.cash
    ]
    net_minor = month.captured_minor - month.refunded_minor
    total = Row(
        "all", (money(month, month.captured_minor), money(month, month.refunded_minor), money(month, net_minor))
    )
    return table(
        f"Cash, {month.grain.currency}",
        ("processor", ">customers paid", ">refunded in cash", ">in all"),
        rows,
        total=total,
    )


def _movements(month: MonthFigures, account: Account, drill: Drill) -> Markup:
    steps = waterfall(account)
    rows = [
        Row(
            _movement_name(step.name),
            (money(month, step.amount_minor), step_bar(step, steps)),
            is_strong=step.kind == "stands",
        )
        for step in steps
    ]
    drilled = [
        drill.into(
            f"{_movement_name(each.name).capitalize()}: from the figure to the bytes",
            "viz.account_movement",
            "amount_minor",
            {**month.grain._asdict(), "account": account.name, "entry_type": each.name},
        )
        for each in account.movements
    ]
    return joined(
        [
            table(
                f"How {_account_name(account.name)} moved, {month.grain.currency}", ("movement", ">amount", "|"), rows
            ),
            *drilled,
        ]
    )


def _coverage(month: MonthFigures) -> Markup:
    if not month.coverage:
        return Markup()
    shown, others = month.coverage[:ROUTES_MAX], month.coverage[ROUTES_MAX:]
    headings = ("route", ">seats offered", ">sold", ">travelled", ">did not come", ">load", ">fares")
    total = _coverage_row(month, f"{len(others)} more routes", _summed(others)) if others else None
    return table(
        f"Coverage by route, {month.grain.currency}",
        headings,
        [_coverage_row(month, each.route_id, each) for each in shown],
        total=total,
    )


def _coverage_row(month: MonthFigures, name: str, route: Coverage) -> Row:
    load = "not known" if route.load_bp is None else f"{route.load_bp // 100}.{route.load_bp % 100:02d} %"
    seats = "not known" if route.seats_offered is None else f"{route.seats_offered:,}"
    counts = tuple(f"{count:,}" for count in (route.seats_sold, route.boarded, route.no_show))
    return Row(name, (seats, *counts, load, money(month, route.fare_minor)))


def _summed(routes: Sequence[Coverage]) -> Coverage:
    return Coverage(
        "",
        sum(each.seats_offered or 0 for each in routes) or None,
        sum(each.seats_sold for each in routes),
        sum(each.seats_sold_of_offered for each in routes),
        sum(each.boarded for each in routes),
        sum(each.no_show for each in routes),
        sum(each.fare_minor for each in routes),
    )


def _movement_name(name: str) -> str:
    return MOVEMENT_NAMES.get(name, name.replace("_", " "))


def _account_name(name: str) -> str:
    return "unearned fares" if name == UNEARNED_FARES else f"the money with {name.removeprefix('clearing:')}"


def _last_word() -> Markup:
    return tag(
        "p",
        "Every figure here leads back to the bytes it came from: ",
        tag("code", "asiento trace"),
        ". Everything is recomputed from the raw bytes by ",
        tag("code", "asiento verify"),
        ".",
        class_="quiet",
    )
