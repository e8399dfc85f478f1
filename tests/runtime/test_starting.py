"""While a door starts nobody looks for garbage; afterwards somebody does, and not in what was loaded."""

import gc

import pytest

from shared.runtime.starting import NEW_OBJECTS_MAX, starting


def _fails_to_start() -> None:
    with starting():
        assert not gc.isenabled()
        raise ValueError("no settings")


def test_collects_nothing_while_it_starts_and_goes_on_afterwards() -> None:
    """Asiento's doors put the collector off while they start, and on again however that ends, with what is there left alone."""
    before = gc.get_threshold()
    try:
        with pytest.raises(ValueError, match="no settings"):
            _fails_to_start()
        assert gc.isenabled()
        assert gc.get_freeze_count() > 0
        assert gc.get_threshold()[0] == NEW_OBJECTS_MAX
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
