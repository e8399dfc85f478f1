"""A town: one small season of the simulated company, what its providers' APIs answer, and what is true about its money.

The company changes no more once its season is over, so every answer is recorded when it is first asked for, through the
real client and over HTTP, and is the same ever after: the simulation itself opens no connection and draws no time.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property

from local.simulator import API_SECRETS, Api, ApiServer, Season
from shared.domain.errors import NotFoundError
from shared.domain.facts import EntityKey, EntityKind
from shared.domain.times import Window
from shared.ports.provider import ApiAccess, Fetched, Listed, Provider, ProviderApi
from shared.providers.toolkit import registry

PROVIDERS = ("betterez", "stripe", "mercadopago")
WEBHOOK_SECRETS = {"betterez": "btrz-key-of-a-town", "stripe": "whsec_key-of-a-town", "mercadopago": "mp-key-of-a-town"}

SEASONS = (193, 1494, 229, 100)
"""Seeds of seasons that together hold every kind of event and happening that two days can hold."""
_FIRST_DAY = date(2026, 1, 4)
"""A Sunday: two days from it hold a Monday, on which the processors pay out."""

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
    server = stack.enter_context(ApiServer(Api(season.company)))
    providers = {name: registry.load(name) for name in PROVIDERS}
    apis = {}
    for name, provider in providers.items():
        assert provider.open_api is not None
        api = provider.open_api(ApiAccess(server.base_url(name), API_SECRETS[name]))
        apis[name] = RecordedApi(stack.enter_context(closing(api)))
    return Town(season, providers, apis)
