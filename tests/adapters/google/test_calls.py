"""Asiento reads Google's errors by one rule: what can pass, what is missing, what is not allowed, what is wrong."""

import pytest
from google.api_core import exceptions
from google.auth.exceptions import DefaultCredentialsError, TransportError

from shared.adapters.google.calls import Patience, google_errors
from shared.domain.errors import AsientoError, NotFoundError, SettingsError, TerminalError, TransientError

PASSES: list[type[Exception]] = [
    exceptions.ServiceUnavailable,
    exceptions.DeadlineExceeded,
    exceptions.TooManyRequests,
    exceptions.ResourceExhausted,
    exceptions.Aborted,
    exceptions.Conflict,
    exceptions.InternalServerError,
    ConnectionResetError,
    TimeoutError,
    TransportError,
]
WRONG: list[type[Exception]] = [
    exceptions.PermissionDenied,
    exceptions.Unauthenticated,
    exceptions.InvalidArgument,
    exceptions.FailedPrecondition,
]
NOT_THERE: list[type[Exception]] = [exceptions.NotFound]
NO_CREDENTIALS: list[type[Exception]] = [DefaultCredentialsError]
GIVEN_UP: type[Exception] = exceptions.RetryError
ANSWERS: list[type[Exception]] = [exceptions.PreconditionFailed, exceptions.AlreadyExists]
MEANINGS: list[tuple[Exception, type[AsientoError]]] = [
    *((kind("why"), TransientError) for kind in PASSES),
    *((kind("why"), TerminalError) for kind in WRONG),
    *((kind("why"), NotFoundError) for kind in NOT_THERE),
    *((kind("why"), SettingsError) for kind in NO_CREDENTIALS),
    *((GIVEN_UP("gave up", cause), TransientError) for cause in (None, PASSES[0]("down"))),
]


@pytest.mark.parametrize(
    ("error", "meaning"), MEANINGS, ids=lambda value: getattr(value, "__name__", type(value).__name__)
)
def test_every_error_has_a_meaning(error: Exception, meaning: type[AsientoError]) -> None:
    """Asiento says of every error of a client library whether trying again can help, and to what it happened."""
    with (
        pytest.raises(meaning, match=r"^reading gs://raw/x: ") as raised,
        google_errors("reading gs://raw/x", "roles/viewer"),
    ):
        raise error
    assert type(raised.value) is meaning
    assert raised.value.__cause__ is error


def test_not_allowed_names_the_role() -> None:
    """Asiento tells what to grant."""
    with (
        pytest.raises(TerminalError, match="grant roles/viewer on the bucket"),
        google_errors("reading", "roles/viewer on the bucket"),
    ):
        raise WRONG[0]("no")


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_failed_precondition_is_an_answer(answer: type[Exception]) -> None:
    """Asiento leaves it to the caller what a failed precondition means."""
    with pytest.raises(answer), google_errors("creating", "roles/creator"):
        raise answer("412")


def test_patience_tries_at_least_once_and_ends() -> None:
    """Asiento tries once even without patience, and stops when it has ended."""
    assert list(Patience(deadline_s=0.0).tries()) == [1]
    tries = list(Patience(first_pause_s=0.001, longest_pause_s=0.002, deadline_s=0.03).tries())
    assert tries == list(range(1, len(tries) + 1))
    assert len(tries) > 2
