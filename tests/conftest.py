"""What all tests share: seeded hypothesis profiles, and the outside data where it is there."""

import os
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from shared.domain.errors import AsientoError
from shared.pipeline import derive
from shared.runtime import logs

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


@pytest.fixture(autouse=True)
def _usual_logs() -> None:
    """Start each test with the logs of one machine: the level that a command of an earlier test set is not this one's."""
    logs.configure(level="info", as_json=False)


@pytest.fixture(autouse=True)
def _no_unforeseen_error(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail a test in which derive meets an error of no class, unless it is marked to meet one on purpose."""
    met: list[str] = []
    sound = derive.tell_unforeseen

    def noted(failure: Exception, delivery_id: str) -> None:
        if not isinstance(failure, AsientoError):
            met.append("".join(traceback.format_exception(failure)))
        sound(failure, delivery_id)

    monkeypatch.setattr(derive, "tell_unforeseen", noted)
    yield
    if met and request.node.get_closest_marker("meets_unforeseen") is None:
        pytest.fail(f"met an error of no class, and {len(met)} in all; the first:\n{met[0]}")
