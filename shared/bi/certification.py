"""Certification: the ordered checks, and what their differences mean for each month, currency and business unit."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from shared.bi.inputs import INPUTS
from shared.bi.models import Check, Model, read_models
from shared.bi.ordering import ordered
from shared.domain.errors import TerminalError

CHECKS: tuple[str, ...] = (
    # Is everything in that should be?
    "control.unsettled.nothing_readable_is_unsettled",
    "control.unsettled.nothing_unread_is_unanswered",
    "control.compared_month.no_difference_is_open",
    "control.complete_month.every_day_is_complete",
    "mart.exception_month.no_blocking_one_is_open",
    "mart.exception_month.no_blocking_one_is_unplaced",
    # Is what is in whole and without contradiction?
    "mart.fact_ticket.can_be_placed",
    "mart.fact_ticket.has_no_conflict",
    "mart.fact_ticket.sale_has_come",
    "mart.fact_payment.can_be_placed",
    "mart.fact_payment.has_no_conflict",
    "mart.fact_payment.platform_has_business_unit",
    "mart.fact_payment.sale_has_come",
    "mart.fact_refund.can_be_placed",
    "mart.fact_refund.has_no_conflict",
    "mart.fact_refund.item_is_amount_and_penalty",
    "mart.fact_refund.sale_has_come",
    "mart.transaction_event.can_be_placed",
    "control.ticket.is_exact",
    "control.refund.is_exact",
    "control.payment.is_exact",
    "control.processor_payment.is_exact",
    # Is everything accounted for?
    "mart.movement_rule.covers_every_state",
    "mart.journal_entry.has_no_fee_of_a_cancellation",
    "mart.movement_cohort.is_given_back_by_one_refund",
    "mart.movement_cohort.stands_in_a_standing_sale",
    "mart.movement_settlement.can_be_placed",
    "mart.movement_settlement.says_what_it_moved",
    "mart.movement_settlement.settles_what_was_captured",
    # Do the books balance?
    "mart.posting_rule.uses_the_chart",
    "mart.posting.every_entry_is_posted",
    "mart.posting.sums_to_zero",
    "mart.posting.income_is_what_was_earned",
    "mart.trial_balance.is_of_the_chart",
    "mart.trial_balance.debits_are_credits",
    "mart.movement_unearned_fares.knows_every_movement",
    "mart.movement_unearned_fares.opening_and_movements_are_closing",
    "mart.movement_unearned_fares.closing_is_the_balance",
    "mart.movement_tickets.knows_every_movement",
    "mart.movement_tickets.sold_is_what_became_of_them",
    "mart.movement_clearing.knows_every_movement",
    "mart.movement_clearing.opening_and_movements_are_closing",
    "mart.movement_clearing.closing_is_the_balance",
    # Do both derivations say the same?
    "control.comparison.both_paths_agree",
)
"""Every check of every model, in the order in which they are run and told."""

UNKNOWN = "unknown"
"""Stands where a difference concerns a month, currency or business unit of which nothing is certain."""

_DIFFERENCES_MAX = 20
"""How many differences of one check a certificate names for one month; the rest is counted."""


class Grain(NamedTuple):
    """What is certified: one month of one currency and business unit."""

    month: str
    currency: str
    business_unit: str

    def __str__(self) -> str:
        """Return the one-line form."""
        return f"{self.month} {self.currency} {self.business_unit}"


class Difference(NamedTuple):
    """Something wrong that a check has found. None means that it concerns every month, currency or business unit."""

    check: str
    month: str | None
    currency: str | None
    business_unit: str | None
    text: str

    def concerns(self, grain: Grain) -> bool:
        """Return whether it stands in the way of a certificate."""
        stated = (self.month, self.currency, self.business_unit)
        return all(mine is None or mine == theirs for mine, theirs in zip(stated, grain, strict=True))


class Figure(NamedTuple):
    """One figure by both paths; amounts in minor units of the grain's currency."""

    name: str
    ledger_count: int
    ledger_minor: int
    control_count: int
    control_minor: int


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a build says of one month, currency and business unit: certified if no check has found a difference."""

    grain: Grain
    figures: tuple[Figure, ...]
    differences: tuple[Difference, ...]

    @property
    def passed(self) -> bool:
        """Return whether it is certified."""
        return not self.differences

    def figure(self, name: str) -> Figure:
        """Return one figure; zero where neither path has any."""
        return next((each for each in self.figures if each.name == name), Figure(name, 0, 0, 0, 0))

    @property
    def figures_json(self) -> str:
        """Return the figures as a certificate keeps them."""
        return _json({name: counts for name, *counts in self.figures})

    @property
    def checks_json(self) -> str:
        """Return every check, in order, with the differences that it found."""
        found: dict[str, list[str]] = {check: [] for check in CHECKS}
        for difference in self.differences:
            found[difference.check].append(difference.text)
        return _json({check: _shortened(texts) for check, texts in found.items()})


def judge(
    candidates: Iterable[Grain],
    figures: Iterable[tuple[Grain, Figure]],
    differences: Sequence[Difference],
    open_month: str,
) -> tuple[Judgement, ...]:
    """Judge every candidate.

    A difference of a closed month that concerns no candidate makes a judgement of its own: it must not go unseen
    because there is nothing to certify where it is.
    """
    by_grain: dict[Grain, list[Figure]] = {grain: [] for grain in candidates}
    for grain, figure in figures:
        by_grain[grain].append(figure)
    closed = [difference for difference in differences if difference.month is None or difference.month < open_month]
    for difference in closed:
        if not any(difference.concerns(grain) for grain in by_grain):
            by_grain[Grain(*(UNKNOWN if part is None else part for part in difference[1:4]))] = []
    return tuple(
        Judgement(
            grain,
            tuple(sorted(by_grain[grain])),
            tuple(difference for difference in closed if difference.concerns(grain)),
        )
        for grain in sorted(by_grain)
    )


@cache
def catalog() -> tuple[Model, ...]:
    """Return every model in the order in which they are built."""
    models = ordered(read_models(), tuple(each.name for each in INPUTS))
    checks_in_order(models)
    return models


def checks_in_order(models: Iterable[Model]) -> tuple[Check, ...]:
    """Return the checks of the models in the order of CHECKS; raises TerminalError naming one that either side lacks."""
    by_name = {check.name: check for model in models for check in model.checks}
    if strangers := sorted(by_name.keys() ^ set(CHECKS)):
        raise TerminalError(
            f"{', '.join(strangers)}: every check is in a model's checks.sql and in CHECKS; this one is in one"
        )
    return tuple(by_name[name] for name in CHECKS)


def _shortened(texts: Sequence[str]) -> list[str]:
    rest = len(texts) - _DIFFERENCES_MAX
    return [*texts[:_DIFFERENCES_MAX], *([f"and {rest} more"] if rest > 0 else [])]


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=False, separators=(",", ":"), ensure_ascii=False)
