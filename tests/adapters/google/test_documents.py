"""Asiento's document ids: any key has one, it leads back to the key, and ids sort as keys do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.google.documents import KEY_BYTES_MAX, document_id, key_of
from shared.domain.errors import TerminalError

KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40) | st.text(
    "./-0", min_size=1, max_size=8
)


@given(KEYS)
def test_an_id_leads_back_to_its_key(key: str) -> None:
    """Asiento finds the key of any document again, and no id holds what Firestore forbids."""
    found = document_id(key)
    assert key_of(f"entities/{found}") == key
    assert "/" not in found
    assert found not in (".", "..")


@given(KEYS, KEYS)
def test_ids_sort_as_their_keys_do(left: str, right: str) -> None:
    """Asiento yields documents in the order of their keys, in Firestore as in SQLite."""
    assert (left < right) == (document_id(left).encode() < document_id(right).encode())


@pytest.mark.parametrize("key", ["", "é" * (KEY_BYTES_MAX // 2 + 1)])
def test_a_key_that_names_no_document_is_refused(key: str) -> None:
    """Asiento refuses a key that is empty or longer than Firestore takes."""
    with pytest.raises(TerminalError, match="cannot name a document"):
        document_id(key)
