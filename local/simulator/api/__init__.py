"""The providers' APIs, served from a season that has happened: Betterez, Stripe and Mercado Pago on one loopback port."""

from local.simulator.api.access import API_SECRETS, Access
from local.simulator.api.app import Api
from local.simulator.api.misbehaviour import Cut
from local.simulator.api.server import ApiServer

__all__ = ["API_SECRETS", "Access", "Api", "ApiServer", "Cut"]
