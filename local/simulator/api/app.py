"""The three APIs in one application, each under its provider's name."""

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount

from local.simulator.api.access import Access, Sessions
from local.simulator.api.betterez import BetterezApi
from local.simulator.api.mercadopago import MercadoPagoApi
from local.simulator.api.misbehaviour import MisbehavingApp, Misbehaviour
from local.simulator.api.records_served import RecordsServed
from local.simulator.api.stripe import StripeApi
from local.simulator.company import Company
from local.simulator.deliveries import Emission
from local.simulator.journal import BETTEREZ, MERCADO_PAGO, STRIPE
from local.simulator.mishaps import Mishaps


class Api:
    """The providers' APIs over the records of a company that changes no more.

    `sessions` ends tokens on demand, `misbehaviour` plans bad answers, `retried` holds the undeliverables that somebody
    asked to be sent again.
    """

    def __init__(
        self,
        company: Company,
        *,
        undelivered: Sequence[Emission] = (),
        access: Access | None = None,
        mishaps: Mishaps | None = None,
    ) -> None:
        """Serve a company; `undelivered` are the events that the platform lists as such, `mishaps` what is wrong there."""
        access = access or Access()
        self.sessions = Sessions(access)
        self.misbehaviour = Misbehaviour()
        self.mishaps = mishaps or Mishaps()
        betterez = BetterezApi(RecordsServed(company), self.sessions, undelivered, self.mishaps)
        self.retried = betterez.retried
        self.app = Starlette(
            routes=[
                Mount(f"/{BETTEREZ}", routes=betterez.routes()),
                Mount(f"/{STRIPE}", routes=StripeApi(company.stripe, access.stripe_key).routes()),
                Mount(f"/{MERCADO_PAGO}", routes=MercadoPagoApi(company.wallet, access.mercado_pago_token).routes()),
            ],
            middleware=[Middleware(MisbehavingApp, misbehaviour=self.misbehaviour)],
        )
