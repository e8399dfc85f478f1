"""What all tests share: seeded hypothesis profiles, and the outside data where it is there."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

REPOSITORY = Path(__file__).resolve().parent.parent
OUTSIDE = REPOSITORY.parent / "shared"

# Derandomised: the examples are a function of the test, so a failure repeats. ASIENTO_SEARCH=deep looks further.
settings.register_profile("repeat", derandomize=True, deadline=None, max_examples=60, print_blob=True)
settings.register_profile(
    "deep", deadline=None, max_examples=2_000, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("deep" if os.environ.get("ASIENTO_SEARCH") == "deep" else "repeat")


@pytest.fixture(scope="session")
def outside_data() -> Path:
    """Return the folder of real inputs; skip where it is absent, fail where it must be there."""
    folder = OUTSIDE / "data"
    if not folder.is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"{folder} must be present where CI is set")
        pytest.skip("the real inputs are not beside this clone")
    return folder
