"""What any inbox must do: show what waits, give up what was taken, set aside what cannot be, and hold the mappings."""

from dataclasses import replace

import pytest

from shared.domain.errors import NotFoundError
from tests.conformance.conftest import DropBox

FILES = {"statement/bank-1.csv": b"one", "mercadopago/release.csv": b"two", "lost.csv": b"three"}


def test_shows_what_waits_and_whose_it_is(inbox: DropBox) -> None:
    """Asiento sees every file that waits, in order, with its bytes and its provider; mappings are no files."""
    assert list(inbox.inbox.waiting()) == []
    for path, body in {**FILES, "mappings/bank.yaml": b"title: Bank"}.items():
        inbox.drop(path, body)
    waiting = list(inbox.inbox.waiting())
    assert [each.path for each in waiting] == sorted(FILES)
    assert [each.provider for each in waiting] == ["", "mercadopago", "statement"]
    assert [inbox.inbox.read(each) for each in waiting] == [FILES[path] for path in sorted(FILES)]
    assert [each.size_bytes for each in waiting] == [5, 3, 3]


def test_holds_the_mappings_by_name(inbox: DropBox) -> None:
    """Asiento finds the declared mappings beside the files, and none where there are none."""
    assert inbox.inbox.mappings() == {}
    inbox.drop("mappings/bank.yaml", b"title: Banco de la Naci\xc3\xb3n")
    inbox.drop("mappings/notes.txt", b"not a mapping")
    assert inbox.inbox.mappings() == {"bank": "title: Banco de la Nación"}


def test_gives_up_what_was_taken_and_nothing_newer(inbox: DropBox) -> None:
    """Asiento takes away the very file that it has read; another one dropped in its place since stays."""
    inbox.drop("statement/a.csv", b"first")
    (first,) = inbox.inbox.waiting()
    inbox.drop("statement/a.csv", b"second")
    inbox.inbox.remove(first)
    with pytest.raises(NotFoundError):
        inbox.inbox.read(first)
    (second,) = inbox.inbox.waiting()
    assert inbox.inbox.read(second) == b"second"
    for _ in range(2):
        inbox.inbox.remove(second)
    assert list(inbox.inbox.waiting()) == []


def test_sets_aside_with_the_reason_and_keeps_the_bytes(inbox: DropBox) -> None:
    """Asiento moves what cannot be taken in out of the way; doing so twice, or to what is gone, is harmless."""
    inbox.drop("statement/empty.csv", b"x")
    (dropped,) = inbox.inbox.waiting()
    for _ in range(2):
        inbox.inbox.set_aside(dropped, "it is empty; ask for it again")
    assert list(inbox.inbox.waiting()) == []
    aside = replace(dropped, path="statement/gone.csv")
    inbox.inbox.set_aside(aside, "it is gone")
