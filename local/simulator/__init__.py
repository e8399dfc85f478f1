"""The provider simulator: a bus company whose season is lived through, told of by its providers, and kept in books.

It is an independent party. It shares no code with what it tests: calendar, money, signatures and payloads are its own,
written from docs/providers.

    season = Season.generate(seed=7, sales=20_000)          # the world stops at the end of the last day
    season.books.totals()                                   # centavos, to be compared with the ledger
    plan = Plan(season, Chaos(seed=1, duplicate_share=0.05, loss_share=0.02, reorder_window=500, forged_share=0.01))
    with ApiServer(Api(season.company, undelivered=plan.undelivered())) as apis:
        report = send(plan.sends(), "http://127.0.0.1:8080", secrets)   # signed as each request leaves
        apis.base_url("betterez")                           # credentials: API_SECRETS

`Plan(season, Chaos())` is the clean run in order. `Api(season.company, mishaps=Mishaps.plan(season.company, seed=1))`
answers with seats sold twice, strangers on board, vehicles too small and cents too many. `PaymentsFeed.open(path)`
takes sales from a CSV of payments instead of a season and is planned and sent in the same way. Signing keys are given
by the caller, by provider name; API credentials are `Access`'s. Everything is a function of its seeds except the time
of sending.
"""

from local.simulator.api import API_SECRETS, Access, Api, ApiServer
from local.simulator.books import Books, Figures
from local.simulator.chaos import Chaos, Kind, Plan, Send
from local.simulator.deliveries import Emission, Feed
from local.simulator.mishaps import Mishaps
from local.simulator.payments_csv import PaymentsBooks, PaymentsFeed, read_payments
from local.simulator.season import FIRST_DAY, LAST_DAY, Season
from local.simulator.sender import SendReport, send, send_all
from local.simulator.signing import Request, Secrets, sign

__all__ = [
    "API_SECRETS",
    "FIRST_DAY",
    "LAST_DAY",
    "Access",
    "Api",
    "ApiServer",
    "Books",
    "Chaos",
    "Emission",
    "Feed",
    "Figures",
    "Kind",
    "Mishaps",
    "PaymentsBooks",
    "PaymentsFeed",
    "Plan",
    "Request",
    "Season",
    "Secrets",
    "Send",
    "SendReport",
    "read_payments",
    "send",
    "send_all",
    "sign",
]
