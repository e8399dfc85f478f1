"""What all tests share: seeded hypothesis profiles, and the outside data where it is there."""

import os
import traceback
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]  # it ships no types

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


class ByWhatIsShared(LoadScopeScheduling):  # type: ignore[misc]  # same
    """Gives a module's tests to one worker where they share what is made once for the module; all others one by one."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        return module if _is_sharing(module) else nodeid


@cache
def _is_sharing(module: str) -> bool:
    return 'scope="module"' in REPOSITORY.joinpath(module).read_text(encoding="utf-8")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling:
    """Share tests out among parallel workers."""
    return ByWhatIsShared(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with storms: what takes longest must not be what one worker is still at when the other has done."""
    items.sort(key=lambda item: "tests/simulation/" not in item.nodeid)


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
