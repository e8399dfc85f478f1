"""The simulated company's calendar is Argentina's."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from local.simulator.demand import day_weight, is_day_off, is_long_weekend_edge
from local.simulator.moments import day_of, day_start_ms, mercado_pago_text, month_of, to_ms, utc_text, wall_text


def test_a_day_starts_at_local_midnight() -> None:
    """Asiento's simulator books the last minute of a month into that month, though UTC is a day ahead."""
    last_minute = datetime(2026, 1, 31, 23, 59, tzinfo=ZoneInfo("America/Argentina/Buenos_Aires"))

    assert day_of(to_ms(last_minute)) == date(2026, 1, 31)
    assert month_of(to_ms(last_minute)) == "2026-01"
    assert month_of(to_ms(last_minute) + 60_000) == "2026-02"
    assert day_start_ms(date(2026, 2, 1)) == to_ms(last_minute) + 60_000


def test_each_provider_writes_one_instant_in_its_own_way() -> None:
    """Asiento's simulator writes one instant as the platform, as wall time wearing a Z, and as Mercado Pago do."""
    instant_ms = to_ms(datetime(2026, 2, 1, 1, 30, 5, 7_000, tzinfo=UTC))

    assert utc_text(instant_ms) == "2026-02-01T01:30:05.007Z"
    assert wall_text(instant_ms) == "2026-01-31T22:30:05.007Z"
    assert mercado_pago_text(instant_ms) == "2026-01-31T21:30:05.007-04:00"


def test_long_weekends_are_those_of_the_calendar() -> None:
    """Asiento's simulator sends people away on the eve of Carnival and of Easter and brings them home at the end."""
    carnival_tuesday, good_friday = date(2026, 2, 17), date(2026, 4, 3)

    assert is_day_off(carnival_tuesday)
    assert is_day_off(good_friday)
    assert is_long_weekend_edge(date(2026, 2, 13))
    assert is_long_weekend_edge(carnival_tuesday)
    assert is_day_off(date(2026, 3, 23)), "the bridge to the holiday of Tuesday 24 March"
    assert not is_long_weekend_edge(date(2026, 3, 11))


def test_summer_and_winter_are_the_peaks() -> None:
    """Asiento's simulator has more demand on a Friday of January or July than on one of May."""
    may = day_weight(date(2026, 5, 8))

    assert day_weight(date(2026, 1, 16)) > may
    assert day_weight(date(2026, 7, 17)) > may
