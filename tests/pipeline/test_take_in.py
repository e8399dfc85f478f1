"""Asiento takes a file in as a delivery: kept byte for byte, announced, and never lost."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from shared.domain.deliveries import Announcement, Channel
from shared.domain.errors import SettingsError, TerminalError, TransientError
from shared.domain.times import Window
from shared.pipeline.reconcile import reconcile
from shared.pipeline.take_in import FILE_BYTES_MAX, TakingIn, take_in
from tests.pipeline.small_company import NOON, Company, body, sale, sold


def taking_in(company: Company) -> TakingIn:
    """Return the world of a company that takes files in."""
    return TakingIn({"tiny"}, company.raw, company.bus, company.new_id)


def test_a_file_is_a_delivery_like_any_other(company: Company) -> None:
    """Asiento keeps the bytes of a file under its name alone, announces it, and derives it."""
    content = body("file", (sale(1), 1, sold()))
    delivery = take_in("folder/of/somebody/sales.json", content, "tiny", taking_in(company), NOON)
    assert company.raw.read(delivery.object_name) == delivery
    assert (delivery.channel, delivery.target, delivery.body) == (Channel.FILE, "sales.json", content)
    assert company.derive() == 1
    assert company.ledger.entity(sale(1)) is not None


def test_a_file_that_says_nothing_readable_is_kept(company: Company) -> None:
    """Asiento keeps a file that it cannot read, and gives it an outcome."""
    delivery = take_in("notes.txt", b"\xff\x00", "tiny", taking_in(company), NOON)
    company.derive()
    verdict = company.ledger.verdict(delivery.delivery_id)
    assert verdict is not None
    assert verdict.outcome.needs_attention


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.csv", b""),
        ("", b"x"),
        ("a\nb.csv", b"x"),
        ("x" * 256, b"x"),
        ("large.csv", b"x" * (FILE_BYTES_MAX + 1)),
    ],
)
def test_unfit_files_are_refused_and_nothing_is_kept(company: Company, name: str, content: bytes) -> None:
    """Asiento refuses an empty, nameless or oversized file with the mend, and keeps nothing of it."""
    with pytest.raises(TerminalError):
        take_in(name, content, "tiny", taking_in(company), NOON)
    assert not list(company.raw.names(Window(NOON - timedelta(days=1), NOON + timedelta(days=1))))


def test_a_provider_that_is_not_listened_to(company: Company) -> None:
    """Asiento names the providers that there are to whoever brings a file of another."""
    with pytest.raises(SettingsError, match="no provider 'bank'; name one of tiny"):
        take_in("x.csv", b"x", "bank", taking_in(company), NOON)


class _BusThatIsDown:
    async def publish(self, announcement: Announcement) -> None:
        raise TransientError(f"down: {announcement.delivery_id}")

    def publish_all(self, announcements: Sequence[Announcement]) -> None:
        raise TransientError(f"down: {len(announcements)}")


def test_a_bus_that_is_down_loses_no_file(company: Company) -> None:
    """Asiento keeps a file that it cannot announce, and the straggler job announces it."""
    world = TakingIn({"tiny"}, company.raw, _BusThatIsDown(), company.new_id)
    take_in("sales.json", body("file", (sale(1), 1, sold())), "tiny", world, NOON)
    assert company.derive() == 0
    reconcile(
        "stragglers",
        company.world,
        Window(NOON - timedelta(days=1), NOON + timedelta(days=1)),
        NOON + timedelta(hours=1),
    )
    assert company.derive() == 1
