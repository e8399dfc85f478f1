"""The bus company as it stands before the season: accounts, stations, routes, services and the agencies that sell."""

from dataclasses import dataclass
from random import Random

from local.simulator.ids import Ids

CURRENCY = "ARS"
CAPACITY = 45
"""Seats of a coach."""
_SEATS_FILLED_PERCENT = 45
"""The load that the timetable is laid out for; peaks go well beyond it."""
_FOUNDED_MS = 1_527_800_000_000
"""When the company came to the platform: routes and agencies have carried their ids since then."""


@dataclass(frozen=True, slots=True)
class Account:
    """An operator's account on the platform: the business unit."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Station:
    """A terminal where passengers board."""

    id: str
    name: str
    province: str


@dataclass(frozen=True, slots=True)
class Route:
    """One direction of a line, sold end to end."""

    id: str
    account: Account
    origin: Station
    destination: Station
    km: int
    base_fare_minor: int


@dataclass(frozen=True, slots=True)
class Service:
    """One departure time of a route, every day: the platform's schedule."""

    id: str
    route: Route
    departs_minute: int
    """Minutes after local midnight."""
    has_scanner: bool
    """Whether boarding is scanned; without a scanner nobody reports who travelled."""


@dataclass(frozen=True, slots=True)
class Agency:
    """A counter that sells: the operator's own ticket office or an agency that earns a commission."""

    id: str
    name: str
    account: Account
    station: Station
    is_own: bool
    works_nights: bool


LITORAL = Account("60b8d295f1c0a70012a11701", "Litoral Bus")
ANDINA = Account("60b8d2a3f1c0a70012a11702", "Andina Express")
ACCOUNTS = (LITORAL, ANDINA)

_STATIONS = {
    name: Station(f"5a7214603c709e520f0001{number:02x}", name, province)
    for number, (name, province) in enumerate(
        (
            ("Buenos Aires Retiro", "CABA"),
            ("Rosario", "Santa Fe"),
            ("Santa Fe", "Santa Fe"),
            ("Paraná", "Entre Ríos"),
            ("Resistencia", "Chaco"),
            ("Corrientes", "Corrientes"),
            ("Posadas", "Misiones"),
            ("Puerto Iguazú", "Misiones"),
            ("Mar del Plata", "Buenos Aires"),
            ("Córdoba", "Córdoba"),
            ("Mendoza", "Mendoza"),
            ("San Juan", "San Juan"),
            ("San Luis", "San Luis"),
            ("Neuquén", "Neuquén"),
            ("Bariloche", "Río Negro"),
            ("Tucumán", "Tucumán"),
            ("Salta", "Salta"),
        )
    )
}

# Operator, ends, road kilometres, share of the demand in both directions.
_LINES = (
    (LITORAL, "Buenos Aires Retiro", "Rosario", 300, 9),
    (LITORAL, "Buenos Aires Retiro", "Mar del Plata", 415, 14),
    (LITORAL, "Buenos Aires Retiro", "Paraná", 470, 5),
    (LITORAL, "Buenos Aires Retiro", "Corrientes", 930, 5),
    (LITORAL, "Buenos Aires Retiro", "Posadas", 1_005, 6),
    (LITORAL, "Posadas", "Puerto Iguazú", 300, 4),
    (LITORAL, "Rosario", "Resistencia", 715, 3),
    (LITORAL, "Santa Fe", "Córdoba", 345, 4),
    (ANDINA, "Buenos Aires Retiro", "Córdoba", 700, 9),
    (ANDINA, "Buenos Aires Retiro", "Mendoza", 1_050, 8),
    (ANDINA, "Buenos Aires Retiro", "Bariloche", 1_580, 6),
    (ANDINA, "Mendoza", "San Juan", 165, 6),
    (ANDINA, "Córdoba", "Tucumán", 560, 4),
    (ANDINA, "Tucumán", "Salta", 310, 4),
    (ANDINA, "San Luis", "Mendoza", 260, 4),
    (ANDINA, "Neuquén", "Bariloche", 430, 4),
)

_AGENCIES = (
    ("Boletería Retiro", LITORAL, "Buenos Aires Retiro", True, True),
    ("Boletería Rosario", LITORAL, "Rosario", True, False),
    ("Boletería Posadas", LITORAL, "Posadas", True, True),
    ("Viajes del Paraná", LITORAL, "Paraná", False, False),
    ("Turismo Iberá", LITORAL, "Corrientes", False, False),
    ("Boletería Retiro Andina", ANDINA, "Buenos Aires Retiro", True, True),
    ("Boletería Mendoza", ANDINA, "Mendoza", True, True),
    ("Boletería Córdoba", ANDINA, "Córdoba", True, False),
    ("Cuyo Pasajes", ANDINA, "San Juan", False, False),
    ("Norte Viajes", ANDINA, "Tucumán", False, False),
)


@dataclass(frozen=True, slots=True)
class World:
    """Everything that the season does not change."""

    services: dict[str, tuple[Service, ...]]
    """Services of each route id."""
    routes: tuple[Route, ...]
    route_weights: tuple[int, ...]
    agencies: tuple[Agency, ...]

    @classmethod
    def build(cls, rng: Random, *, tickets: int, days: int) -> "World":
        """Lay out a timetable with room for about `tickets` tickets over `days` days."""
        ids = Ids(rng)
        routes: list[Route] = []
        weights: list[int] = []
        services: dict[str, tuple[Service, ...]] = {}
        demand = sum(line[4] for line in _LINES) * 2
        for account, one_end, other_end, km, weight in _LINES:
            daily = -(-tickets * weight * 100 // (demand * days * CAPACITY * _SEATS_FILLED_PERCENT))
            for origin, destination in ((one_end, other_end), (other_end, one_end)):
                route = _route(ids, account, origin, destination, km)
                routes.append(route)
                weights.append(weight)
                services[route.id] = tuple(_service(rng, ids, route) for _ in range(max(2, daily)))
        return cls(services, tuple(routes), tuple(weights), tuple(_agencies(ids)))


def _route(ids: Ids, account: Account, origin: str, destination: str, km: int) -> Route:
    # About 85 pesos a kilometre and 6,000 for the seat; fares with centavos keep scales honest.
    fare_minor = 600_000 + km * 8_537
    return Route(ids.record(_FOUNDED_MS), account, _STATIONS[origin], _STATIONS[destination], km, fare_minor)


def _service(rng: Random, ids: Ids, route: Route) -> Service:
    # Long lines leave in the evening; the hours around local midnight, where UTC is a day ahead, are always among them.
    first, last = (17 * 60, 24 * 60 - 1) if route.km > 600 else (5 * 60, 24 * 60 - 1)  # noqa: PLR2004  a night's ride
    return Service(ids.uuid(), route, rng.randrange(first, last) // 5 * 5, rng.random() < 0.6)  # noqa: PLR2004  60 % scan


def _agencies(ids: Ids) -> list[Agency]:
    return [
        Agency(ids.record(_FOUNDED_MS), name, account, _STATIONS[station], is_own, works_nights)
        for name, account, station, is_own, works_nights in _AGENCIES
    ]
