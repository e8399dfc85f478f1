"""Asiento reads Google's errors by one rule: what can pass, what is missing, what is not allowed, what is wrong."""

import pytest
from google.api_core import exceptions
from google.auth.exceptions import DefaultCredentialsError, TransportError

from shared.adapters.google.calls import Patience, google_errors
from shared.domain.errors import AsientoError, NotFoundError, SettingsError, TerminalError, TransientError

MEANINGS = [
    (exceptions.ServiceUnavailable("down"), TransientError),
    (exceptions.DeadlineExceeded("late"), TransientError),
    (exceptions.TooManyRequests("slow down"), TransientError),
    (exceptions.ResourceExhausted("quota"), TransientError),
    (exceptions.Aborted("contended"), TransientError),
    (exceptions.Conflict("busy"), TransientError),
    (exceptions.InternalServerError("oops"), TransientError),
    (exceptions.RetryError("gave up", cause=exceptions.ServiceUnavailable("down")), TransientError),
    (exceptions.RetryError("gave up", cause=None), TransientError),
    (ConnectionResetError(), TransientError),
    (TimeoutError(), TransientError),
    (TransportError("no metadata server"), TransientError),
    (exceptions.NotFound("no bucket"), NotFoundError),
    (exceptions.PermissionDenied("no"), TerminalError),
    (exceptions.Unauthenticated("who"), TerminalError),
    (exceptions.InvalidArgument("bad"), TerminalError),
    (exceptions.FailedPrecondition("index missing"), TerminalError),
    (DefaultCredentialsError("none"), SettingsError),
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
        raise exceptions.Forbidden("no")


@pytest.mark.parametrize("answer", [exceptions.PreconditionFailed("412"), exceptions.AlreadyExists("there")])
def test_a_failed_precondition_is_an_answer(answer: Exception) -> None:
    """Asiento leaves it to the caller what a failed precondition means."""
    with pytest.raises(type(answer)), google_errors("creating", "roles/creator"):
        raise answer


def test_patience_tries_at_least_once_and_ends() -> None:
    """Asiento tries once even without patience, and stops when it has ended."""
    assert list(Patience(deadline_s=0.0).tries()) == [1]
    tries = list(Patience(first_pause_s=0.001, longest_pause_s=0.002, deadline_s=0.03).tries())
    assert tries == list(range(1, len(tries) + 1))
    assert len(tries) > 2
