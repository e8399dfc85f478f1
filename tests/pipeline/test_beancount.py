"""The Beancount export: what is certified, as text that the real `bean-check` proves."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from local.cli import app
from shared.adapters.embedded.warehouse import DuckDbWarehouse
from shared.bi.certification import Grain
from shared.domain.errors import NotFoundError
from shared.pipeline.beancount import beancount
from tests.bi.small_season import A, B, SmallSeason, SmallWorld, hex_id


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SmallWorld]:
    """The small season with Stripe's settlement, derived and published."""
    world = SmallWorld(tmp_path)
    season = SmallSeason()
    season.tell_of_seats_and_settlements()
    world.keep_and_derive(season.deliveries)
    world.rebuild("build-1")
    yield world
    world.close()


def bean_check(folder: Path, text: str) -> tuple[int, str]:
    """Run the real bean-check over a file; return its exit status and what it says."""
    path = folder / "month.beancount"
    path.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "beancount.scripts.check", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603  our own file
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("month", ["2026-01", "2026-02"])
def test_is_accepted_by_bean_check(world: SmallWorld, tmp_path: Path, month: str) -> None:
    """Asiento writes a month that bean-check accepts: every entry balances, every closing balance is the trial balance's."""
    assert bean_check(tmp_path, "\n".join(beancount(world.warehouse, month)) + "\n") == (0, "")


def test_is_proved_and_not_merely_read(world: SmallWorld, tmp_path: Path) -> None:
    """Asiento's export is refused by bean-check where one cent of an entry or of a balance is another one."""
    text = "\n".join(beancount(world.warehouse, "2026-01")) + "\n"
    entry, assertion = f"Liabilities:Unearned-Fares:Unit-{A}  -12345.67 ARS", "  -8000.00 ~ 0 ARS\n"
    assert (text.count(entry), text.count(assertion)) == (1, 1)
    status, says = bean_check(tmp_path, text.replace(entry, entry.replace("45.67", "45.68")))
    assert status == 1
    assert "does not balance" in says
    status, says = bean_check(tmp_path, text.replace(assertion, assertion.replace("00.00", "00.01")))
    assert status == 1
    assert "Balance failed" in says


def test_says_what_each_entry_is_about(world: SmallWorld) -> None:
    """Asiento writes each entry with its day, its type, the entity behind it, and exact amounts in major units."""
    lines = list(beancount(world.warehouse, "2026-01"))
    at = lines.index(f'  source: "refund:betterez:{hex_id("R3")}"')
    assert lines[at - 1 : at + 4] == [
        '2026-01-08 * "item_refunded"',
        f'  source: "refund:betterez:{hex_id("R3")}"',
        f'  business_unit: "{A}"',
        f"  Liabilities:Refunds-Payable:Unit-{A}  -5000.00 ARS",
        f"  Liabilities:Unearned-Fares:Unit-{A}  5000.00 ARS",
    ]
    assert f"2026-01-01 open Assets:Clearing:Mercadopago:Unit-{B}" in lines
    assert f"2026-02-01 balance Assets:Clearing:Inperson:Unit-{A}  10500.00 ~ 0 ARS" in lines
    february = list(beancount(world.warehouse, "2026-02"))
    at = february.index('2026-02-01 * "opening_balances"')
    assert f"  Liabilities:Unearned-Fares:Unit-{A}  -8000.00 ARS" in february[at : at + 12]


def test_writes_the_same_text_from_every_build(world: SmallWorld) -> None:
    """Asiento writes a certified month the same each time, to the byte."""
    text = list(beancount(world.warehouse, "2026-01"))
    world.rebuild("build-2")
    assert list(beancount(world.warehouse, "2026-01")) == text


def test_exports_nothing_that_is_not_certified(world: SmallWorld) -> None:
    """Asiento leaves out what is not certified, and says so where nothing of the month is."""
    world.warehouse.execute(
        "DELETE FROM certificates.published WHERE month = @month AND business_unit = @business_unit",
        Grain("2026-01", "ARS", B)._asdict(),
        job_id="take-back",
    )
    assert not [line for line in beancount(world.warehouse, "2026-01") if B in line]
    with pytest.raises(NotFoundError, match="nothing of 2026-03 is certified, so there is nothing to export"):
        list(beancount(world.warehouse, "2026-03"))


def loaded(folder: Path, rows: list[tuple[str, str, str, int]]) -> DuckDbWarehouse:
    """Return a warehouse whose views show one posting for each account, unit, currency and amount: two make an entry."""
    warehouse = DuckDbWarehouse(folder / "odd.duckdb")
    for view, columns in (
        ("viz.trial_balance", "'asset' AS account_type, 0 AS opening_minor, amount_minor AS closing_minor"),
        (
            "viz.posting",
            "DATE '2026-12-31' AS entry_day, entry_id, 'paid' AS entry_type, 'x:y:\"' AS source, amount_minor",
        ),
    ):
        shown = ", ".join(
            f"STRUCT('{account}' AS account, '{unit}' AS business_unit, '{currency}' AS currency, {amount} AS amount_minor, "
            f"'e{number // 2}' AS entry_id)"
            for number, (account, unit, currency, amount) in enumerate(rows)
        )
        sql = f"SELECT '2026-12' AS month, account, business_unit, currency, {columns} FROM UNNEST([{shown}])"  # noqa: S608  literals above
        warehouse.make_view(view, sql, replace=True)
    return warehouse


def test_gives_every_account_a_name_of_its_own(tmp_path: Path) -> None:
    """Asiento names every account so that Beancount takes it and no two become one, whatever providers are called."""
    odd = ["stripe", "Stripe", "pago express", "pago-express", "pago--20-express", "ñandú", "9lives", "a:b", "X-stripe"]
    rows = [
        (f"{account}:{word}", unit, currency, amount)
        for word in odd
        for unit, currency in (("a-b", "KWD"), ("a_b", "CLP"))
        for account, amount in (("clearing", 105), ("bank", -105))
    ]
    warehouse = loaded(tmp_path, rows)
    text = "\n".join(beancount(warehouse, "2026-12")) + "\n"
    warehouse.close()
    opened = [line for line in text.splitlines() if " open " in line]
    assert len(set(opened)) == len(opened) == len(rows)
    assert "0.105 KWD" in text
    assert "105 CLP" in text
    assert "2027-01-01 balance" in text
    assert bean_check(tmp_path, text) == (0, "")


def test_is_written_by_the_command(tmp_path: Path) -> None:
    """Asiento's command writes the file whole or not at all, and says what is wrong in a sentence."""
    home, file = tmp_path / "home", tmp_path / "january.beancount"
    home.mkdir()
    (tmp_path / "stores").mkdir()
    stores = SmallWorld(tmp_path / "stores")
    stores.keep_and_derive(SmallSeason().deliveries)
    stores.rebuild("build-1")
    stores.close()
    for path in (tmp_path / "stores").iterdir():
        path.rename(home / path.name)
    arguments = ["export", "beancount", "--month", "2026-01", "--output", str(file), "--home", str(home)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert bean_check(tmp_path, file.read_text(encoding="utf-8")) == (0, "")
    assert list(tmp_path.glob("*.part")) == []
    for wrong, says in (("2026-13", "is no month"), ("2026-03", "nothing of 2026-03 is certified")):
        arguments[3] = wrong
        result = CliRunner().invoke(app, arguments)
        assert says in str(result.exception)
    assert list(tmp_path.glob("*.part")) == []
