"""Asiento takes in statements of any bank, twice, reissued or in any order, and comes to one ledger."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest

from shared.adapters.embedded.inbox import FolderInbox
from shared.domain.deliveries import STATEMENT
from shared.domain.errors import NotFoundError, SettingsError, TerminalError
from shared.domain.facts import EntityKind
from shared.domain.outcomes import Outcome
from shared.domain.reconciliation import DifferenceType
from shared.domain.settlements import Generations
from shared.domain.times import ALL_TIME
from shared.pipeline.derive import derive_deliveries, replay
from shared.pipeline.file_rows import rows_of
from shared.pipeline.reconcile import reconcile
from shared.pipeline.state_hash import state_hash
from shared.pipeline.take_in import FILE_BYTES_MAX, Intake, TakingIn, take_in
from shared.providers import statement
from tests.pipeline.test_reconcile_settlements import SETTLED, Office

CARDS = """
title: Card processor
files: ["cards-*.csv"]
separator: ","
zone: UTC
currency: ARS
columns: {settled_at: day, line_type: what, amount: gross, fee: cost, payment: charge}
line_types: {sale: payment}
payment: {provider: mercadopago, pattern: "mp-([0-9]+)"}
bad_rows: hold_the_file
reissued: "cards-(?P<period>[0-9-]+?)(?:-v(?P<generation>[0-9]+))?[.]csv"
"""
LOOSE = CARDS.partition("bad_rows")[0].replace("cards-", "loose-")
HEADER = "day,what,gross,cost,charge"


class Desk(Office):
    """An office that also takes in statements."""

    def __init__(self, home: Path) -> None:
        """Open everything, empty."""
        super().__init__(home)
        self.providers[STATEMENT] = statement.PROVIDER
        self.inbox = FolderInbox(home / "inbox", settled_after_s=0)
        self.mappings = {"cards": CARDS, "loose": LOOSE}
        self.taking = TakingIn(
            self.providers, self.company.raw, self.company.bus, self.company.new_id, travelling=self._travelling
        )
        self.world = replace(self.world, intake=Intake(self.inbox, self.taking))

    def _travelling(self, provider: str, file_name: str, mapping: str) -> Mapping[str, str]:
        headers_of = self.providers[provider].file_headers
        return headers_of(file_name, mapping, self.mappings) if headers_of else {}

    def statement(self, name: str, *rows: str) -> Outcome:
        """Take a statement in and derive it."""
        now = self.company.clock.now()
        delivery = take_in(name, "\n".join((HEADER, *rows)).encode(), STATEMENT, self.taking, now)
        return derive_deliveries([delivery], self.deriving, now)[0].outcome

    def standing(self) -> list[int]:
        """Return the amounts of the lines that stand."""
        stands = Generations(self.ledger.entity).stands
        lines = (line for line in self.ledger.entities(EntityKind.SETTLEMENT_LINE) if "gross_minor" in line.values)
        return sorted(int(line.values["gross_minor"]) for line in lines if stands(line))

    def differing(self) -> set[DifferenceType]:
        """Compare, and return which differences are open."""
        reconcile("settlements", self.world, SETTLED, self.company.clock.now())
        return {each.mismatch.type for each in self.casebook.open_differences()}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """An empty desk."""
    desk = Desk(tmp_path)
    yield desk
    desk.company.close()


SALE = "2026-03-12,sale,100.00,3.00,mp-1"


def test_the_same_file_twice_is_one(desk: Desk) -> None:
    """Asiento takes the same file for a duplicate, under another name as well, and the ledger stays as it was."""
    assert desk.statement("loose-1.csv", SALE, SALE) is Outcome.APPLIED
    once = state_hash(desk.ledger.entities())
    assert desk.statement("loose-copy.csv", SALE, SALE) is Outcome.DUPLICATE
    assert state_hash(desk.ledger.entities()) == once
    assert desk.standing() == [10_000, 10_000]


GENERATIONS = (
    ("cards-2026-03.csv", ("2026-03-12,sale,99.99,3.00,mp-1", "2026-03-13,sale,7.00,0,mp-2")),
    ("cards-2026-03-v2.csv", ("2026-03-12,sale,100.00,3.00,mp-1",)),
    ("cards-2026-04.csv", ("2026-04-02,sale,5.00,0,mp-3",)),
)


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_a_corrected_file_stands_whatever_came_first(desk: Desk, order: tuple[int, ...]) -> None:
    """Asiento lets the highest generation of a statement stand as a whole, in every order of arrival, other periods untouched."""
    for place in (*order, 0):
        name, rows = GENERATIONS[place]
        desk.statement(name, *rows)
    assert desk.standing() == [500, 10_000]


def test_every_order_gives_one_ledger(tmp_path: Path) -> None:
    """Asiento comes to one state hash from the same statements in every order, and a replay from the bytes alone to it again."""
    hashes = set()
    for order in permutations(range(3)):
        desk = Desk(tmp_path / "".join(map(str, order)))
        for place in order:
            desk.statement(GENERATIONS[place][0], *GENERATIONS[place][1])
        hashes.add(state_hash(desk.ledger.entities()))
        desk.mappings.clear()  # what a replay needs has travelled with the files
        kept = list(desk.company.raw.deliveries(ALL_TIME))
        for _ in replay(kept, desk.deriving, desk.company.clock.now()):
            pass
        hashes.add(state_hash(desk.ledger.entities()))
        desk.company.close()
    assert len(hashes) == 1


def test_other_content_under_one_generation_is_a_conflict(desk: Desk) -> None:
    """Asiento never picks between two files that say to be the same generation: both are kept, and a person decides."""
    desk.statement("cards-2026-03.csv", SALE)
    assert desk.statement("cards-2026-03.csv", SALE, SALE) is Outcome.CONFLICT


def test_a_cent_between_a_statement_and_a_payment_is_found_and_the_correction_closes_it(desk: Desk) -> None:
    """Asiento holds a bank's lines against the payments that they name, to the cent, and again once they are corrected."""
    desk.paid(1, 10_000)
    name, rows = GENERATIONS[0]
    desk.statement(name, rows[0])
    assert desk.differing() == {DifferenceType.SETTLED_OTHERWISE}
    desk.company.clock.put_forward(minutes=5)
    desk.statement(GENERATIONS[1][0], *GENERATIONS[1][1])
    assert desk.differing() == set()


def test_a_statement_that_tells_of_some_expects_nothing_of_the_others(desk: Desk) -> None:
    """Asiento calls no payment unsettled because somebody's statement is silent about it."""
    desk.paid(1, 10_000)
    desk.paid(2, 10_000)
    desk.statement("loose-1.csv", SALE, "2026-05-12,sale,5.00,0,")
    assert desk.differing() == set()


def test_the_mending_of_a_mapping_adds_what_was_held(desk: Desk) -> None:
    """Asiento applies the rows that a mended mapping can read, and names the good ones as the same lines as before."""
    assert desk.statement("loose-1.csv", SALE, "2026-03-12,gift,1.00,0,") is Outcome.QUARANTINED
    before = {str(line.key) for line in desk.ledger.entities(EntityKind.SETTLEMENT_LINE)}
    desk.mappings["loose"] = LOOSE.replace("sale: payment", "sale: payment, gift: other")
    assert desk.statement("loose-1.csv", SALE, "2026-03-12,gift,1.00,0,") is Outcome.APPLIED
    after = {str(line.key) for line in desk.ledger.entities(EntityKind.SETTLEMENT_LINE)}
    assert before < after
    assert len(after) == len(before) + 1


def test_says_what_became_of_each_row(desk: Desk) -> None:
    """Asiento names for each row of a file the line that it became, or why it is held."""
    desk.statement("loose-1.csv", SALE, "2026-03-12,gift,1.00,0,", SALE)
    (verdict,) = desk.ledger.verdicts()
    told = rows_of(verdict.delivery_id, desk.deriving)
    assert [(row.line, row.is_in_ledger) for row in told.rows] == [(2, True), (4, True), (0, True)]
    assert told.held == (
        "line 3: unknown_status: line_type is a word that line_types does not hold; add its meaning there",
    )
    with pytest.raises(NotFoundError, match="has an outcome"):
        rows_of("nothing", desk.deriving)
    heard = desk.company.hear(b'{"id": "e", "facts": [], "wants": []}')
    desk.company.derive()
    with pytest.raises(TerminalError, match="no file of rows"):
        rows_of(heard, desk.deriving)


def test_the_inbox_is_emptied_file_by_file(desk: Desk, tmp_path: Path) -> None:
    """Asiento takes in what was dropped, sets aside what no file can be, and leaves and names what lacks a setting."""
    dropped = {
        "statement/loose-9.csv": f"{HEADER}\n{SALE}",
        "statement/unknown.csv": "a",
        "statement/loose-0.csv": "",
        "nobody/x.csv": "a",
        "lost.csv": "a",
    }
    for path, text in dropped.items():
        (tmp_path / "inbox" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "inbox" / path).write_text(text)
    (run,) = reconcile("inbox", desk.world, SETTLED, desk.company.clock.now())
    assert run.counts == {"taken_in": 1, "set_aside": 1, "left": 3}
    assert run.has_failed
    assert [each.path for each in desk.inbox.waiting()] == ["lost.csv", "nobody/x.csv", "statement/unknown.csv"]
    (reason,) = (tmp_path / "inbox" / "refused").rglob("*.reason.txt")
    assert "loose-0.csv is empty" in reason.read_text()
    assert desk.company.bus.lease(10, desk.company.clock.now())
    for path in ("lost.csv", "nobody/x.csv", "statement/unknown.csv"):
        (tmp_path / "inbox" / path).unlink()
    (run,) = reconcile("inbox", desk.world, SETTLED, desk.company.clock.now())
    assert (run.counts["taken_in"], run.has_failed) == (0, False)


def test_a_file_that_is_too_large_is_not_even_read(desk: Desk, tmp_path: Path) -> None:
    """Asiento sets a file that exceeds the bound aside by its size alone."""
    path = tmp_path / "inbox" / "statement" / "loose-huge.csv"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        file.truncate(FILE_BYTES_MAX + 1)
    (run,) = reconcile("inbox", desk.world, SETTLED, desk.company.clock.now())
    assert run.counts["set_aside"] == 1
    assert not path.exists()


def test_dying_between_keeping_and_removing_takes_in_twice_and_counts_once(desk: Desk, tmp_path: Path) -> None:
    """Asiento loses no file and counts none twice where it dies between keeping its bytes and taking it away."""
    path = tmp_path / "inbox" / "statement" / "loose-1.csv"
    path.parent.mkdir(parents=True)
    for _ in range(2):
        path.write_text(f"{HEADER}\n{SALE}")
        reconcile("inbox", desk.world, SETTLED, desk.company.clock.now())
    now = desk.company.clock.now()
    names = [each.announcement.object_name for each in desk.company.bus.lease(10, now)]
    derived = derive_deliveries(desk.company.raw.read_all(names), desk.deriving, now)
    assert sorted(verdict.outcome.value for verdict in derived) == ["applied", "duplicate"]


def test_a_mapping_is_refused_where_files_speak_for_themselves(desk: Desk) -> None:
    """Asiento refuses a mapping that nothing would read."""
    taking = TakingIn({"tiny"}, desk.company.raw, desk.company.bus, desk.company.new_id)
    with pytest.raises(SettingsError, match="without a mapping"):
        take_in("x.json", b"{}", "tiny", taking, desk.company.clock.now(), mapping="bank")
