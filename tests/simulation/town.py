"""A town: one small season of the simulated company, what its providers' APIs answer, and what is true about its money.

The company changes no more once its season is over, so every answer is recorded when it is first asked for, through the
real client and over HTTP, and is the same ever after: the simulation itself opens no connection and draws no time.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from typing import Any, cast

from local.simulator import API_SECRETS, Api, ApiServer, Chaos, Plan, Season
from shared.domain.errors import NotFoundError
from shared.domain.facts import EntityKey, EntityKind
from shared.domain.times import Window
from shared.ports.provider import (
    ApiAccess,
    Fetched,
    Listed,
    ManifestListed,
    Provider,
    ProviderApi,
    ShiftTotals,
    Undelivered,
)
from shared.providers.toolkit import registry

PROVIDERS = ("betterez", "stripe", "mercadopago")
WEBHOOK_SECRETS = {"betterez": "btrz-key-of-a-town", "stripe": "whsec_key-of-a-town", "mercadopago": "mp-key-of-a-town"}
OPERATOR_SECRET = "key-of-the-people-of-a-town"

SEASONS = (193, 1494, 229, 100)
"""Seeds of seasons that together hold every kind of event and happening that two days can hold."""
UNDELIVERED = Chaos(loss_share=0.1, undelivered_share=1.0)
"""Which of its events the platform lists as undelivered, whether or not they come."""
_FIRST_DAY = date(2026, 1, 4)
"""A Sunday: two days from it hold a Monday, on which the processors pay out."""
_DAY_MS = 86_400_000
_BUENOS_AIRES_MS = -3 * 3_600_000

_TICKET_STATUS = {
    "paid": "open",
    "redeemed": "boarded",
    "noshow": "no_show",
    "cancelled": "refunded",
    "changed": "exchanged",
}
"""The platform's words for a ticket, in the ledger's (docs/providers/betterez.md)."""


@dataclass(slots=True)
class RecordedApi:
    """A provider's API whose answers are recorded: asked once, answered for ever."""

    api: ProviderApi
    listings: dict[tuple[EntityKind, Window], tuple[Listed, ...]] = field(default_factory=dict)
    answers: dict[EntityKey, Fetched | None] = field(default_factory=dict)
    accounts: dict[tuple[str, str], tuple[Any, ...]] = field(default_factory=dict)
    """What it tells beside entities, by method and argument."""

    def list_window(self, kind: EntityKind, window: Window) -> Iterator[Listed]:
        """Yield what the provider lists."""
        if (kind, window) not in self.listings:
            self.listings[kind, window] = tuple(self.api.list_window(kind, window))
        yield from self.listings[kind, window]

    def fetch(self, key: EntityKey) -> Fetched:
        """Return the provider's answer."""
        if key not in self.answers:
            try:
                self.answers[key] = self.api.fetch(key)
            except NotFoundError:
                self.answers[key] = None
        answer = self.answers[key]
        if answer is None:
            raise NotFoundError(f"the provider does not know {key}")
        return answer

    def list_manifests(self, day: date) -> Iterator[ManifestListed]:
        """Yield the trips of one travel day."""
        yield from self._recorded("list_manifests", day)

    def list_totals(self, day: date) -> Iterator[ShiftTotals]:
        """Yield what the cash sessions of one day came to."""
        yield from self._recorded("list_totals", day)

    def list_undelivered(self) -> Iterator[Undelivered]:
        """Yield what the provider could not deliver."""
        yield from self._recorded("list_undelivered")

    def fetch_undelivered(self, undelivered_id: str) -> Fetched:
        """Return one entry of that list."""
        (answer,) = self._recorded("fetch_undelivered", undelivered_id)
        return cast("Fetched", answer)

    def _recorded(self, method: str, *asked: date | str) -> tuple[Any, ...]:
        place = method, " ".join(map(str, asked))
        if place not in self.accounts:
            answer = getattr(self.api, method)(*asked)
            self.accounts[place] = (answer,) if isinstance(answer, Fetched) else tuple(answer)
        return self.accounts[place]

    def close(self) -> None:
        """Leave the connection to whoever opened it."""


@dataclass(frozen=True)
class Town:
    """One season with everything around it that does not change from run to run."""

    season: Season
    providers: Mapping[str, Provider]
    apis: Mapping[str, RecordedApi]

    @cached_property
    def window(self) -> Window:
        """The days of the season and of every trip that was sold."""
        return Window.of_days(self.season.first_day, max(day for day, _ in self.season.books.earned))

    @cached_property
    def truth(self) -> Mapping[str, Mapping[str, int | str]]:
        """What the ledger must say in the end of each thing that carries money, by its key; from the company's records."""
        company = self.season.company
        truth: dict[str, Mapping[str, int | str]] = {}
        for sale in company.sales.values():
            truth[f"sale:betterez:{sale.id}"] = {"total_minor": sale.total_minor, "currency": "ARS"}
            for position, payment in enumerate(sale.payments):
                key = f"payment:betterez:{sale.id}:{payment.reference or position}"
                truth[key] = {"amount_minor": payment.amount_minor, "currency": "ARS"}
        for ticket in company.tickets.values():
            status = _TICKET_STATUS[ticket.status]
            truth[f"ticket:betterez:{ticket.id}"] = {"fare_minor": ticket.fare_minor, "status": status}
        for refund in company.refunds.values():
            truth[f"refund:betterez:{refund.id}"] = {
                "item_minor": refund.item_minor,
                "penalty_minor": refund.penalty_minor,
                "amount_minor": refund.amount_minor,
            }
        for charge in company.stripe.charges.values():
            truth[f"payment:stripe:{charge.id}"] = {"amount_minor": charge.amount_minor, "currency": "ARS"}
        for back in company.stripe.refunds.values():
            truth[f"refund:stripe:{back.id}"] = {"amount_minor": back.amount_minor, "currency": "ARS"}
        for wallet in company.wallet.payments.values():
            truth[f"payment:mercadopago:{wallet.id}"] = {"amount_minor": wallet.amount_minor, "currency": "ARS"}
            for returned in wallet.refunds:
                truth[f"refund:mercadopago:{returned.id}"] = {"amount_minor": returned.amount_minor, "currency": "ARS"}
        return truth

    def listed(self, provider: str, kind: str, day: date) -> list[str]:
        """Return the keys of what a provider listed of a day, Buenos Aires time, as its answers were recorded."""
        api = self.apis[provider]
        if kind == "manifest":
            return [str(trip.listed.key) for trip in api.list_manifests(day)]
        start_ms = (day - date(1970, 1, 1)).days * _DAY_MS - _BUENOS_AIRES_MS
        told = {
            str(each.key)
            for (asked, _), listing in list(api.listings.items())
            for each in listing
            if asked.value == kind and each.occurred_at_ms is not None
            if start_ms <= each.occurred_at_ms < start_ms + _DAY_MS
        }
        return sorted(told)

    @cached_property
    def wallet_released(self) -> tuple[int, int]:
        """How many rows the wallet's release reports have, and what they come to, in centavos; from the company's records."""
        payments = self.season.company.wallet.payments.values()
        refunds = [refund for payment in payments for refund in payment.refunds]
        released = sum(payment.amount_minor - payment.fee_minor for payment in payments)
        return len(payments) + len(refunds), released - sum(refund.amount_minor for refund in refunds)

    @cached_property
    def torn_between(self) -> frozenset[str]:
        """The subjects that the records themselves leave open: refunds in cash of a sale that was paid in several parts."""
        company = self.season.company
        return frozenset(
            f"refund:betterez:{refund.id} refund_to_payment"
            for refund in company.refunds.values()
            if len(company.sales[refund.original_id].payments) > 1
        )

    @cached_property
    def names_of_people(self) -> frozenset[str]:
        """Last names and addresses of passengers: what no log may hold."""
        people = [ticket.passenger for ticket in self.season.company.tickets.values()]
        people += self.season.company.people.values()
        return frozenset(
            text for each in people for text in (f"{each.first_name} {each.last_name}", each.email) if text
        )


@contextmanager
def towns(seeds: tuple[int, ...] = SEASONS, *, sales: int = 20, days: int = 2) -> Iterator[tuple[Town, ...]]:
    """Open the towns, with the servers that answer what has not been recorded yet."""
    with ExitStack() as stack:
        last_day = _FIRST_DAY + timedelta(days=days - 1)
        yield tuple(_town(Season.generate(seed, sales, _FIRST_DAY, last_day), stack) for seed in seeds)


def _town(season: Season, stack: ExitStack) -> Town:
    undelivered = Plan(season, UNDELIVERED).undelivered()
    server = stack.enter_context(ApiServer(Api(season.company, undelivered=undelivered)))
    providers = {name: registry.load(name) for name in PROVIDERS}
    apis = {}
    for name, provider in providers.items():
        assert provider.open_api is not None
        api = provider.open_api(ApiAccess(server.base_url(name), API_SECRETS[name]))
        apis[name] = RecordedApi(stack.enter_context(closing(api)))
    return Town(season, providers, apis)
