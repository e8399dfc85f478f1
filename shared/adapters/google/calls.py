"""How Google's services are called: how patient Asiento is with them, and what their errors mean to it.

Each client library retries by rules of its own, for up to ten minutes. A door that is asked for an answer cannot wait
that long, so every call here carries one `Patience`, and what is left of an error is one of Asiento's family.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from google.api_core import exceptions
from google.api_core.retry import Retry
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError

from shared.domain.errors import AsientoError, NotFoundError, SettingsError, TerminalError, TransientError

PASSING = (
    exceptions.TooManyRequests,
    exceptions.InternalServerError,
    exceptions.BadGateway,
    exceptions.ServiceUnavailable,
    exceptions.GatewayTimeout,
)
"""Errors that pass by themselves, over HTTP and gRPC alike: 429, 500, 502, 503 and 504 with all their gRPC kin."""

_NOT_ALLOWED = (exceptions.Forbidden, exceptions.Unauthorized)


def passes(error: BaseException) -> bool:
    """Return whether a call that failed so may succeed when it is made again."""
    return isinstance(error, (*PASSING, OSError))


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a call to Google may take, all tries together, and how the tries are spaced (doubling, with jitter)."""

    first_pause_s: float = 0.1
    longest_pause_s: float = 2.0
    deadline_s: float = 20.0
    """After this the call is given up as a TransientError; shorter than a webhook sender waits."""
    try_s_max: float = 8.0
    """How long a single try may take."""

    def retry(self, predicate: Callable[[BaseException], bool] = passes) -> Retry:
        """Return the client libraries' form of this patience."""
        return Retry(
            predicate=predicate, initial=self.first_pause_s, maximum=self.longest_pause_s, timeout=self.deadline_s
        )

    def tries(self) -> Iterator[int]:
        """Yield 1, 2, 3, … with a pause before each but the first, until the deadline has passed."""
        started_s, pause_s, number = time.monotonic(), self.first_pause_s, 1
        while number == 1 or time.monotonic() - started_s < self.deadline_s:
            yield number
            time.sleep(random.uniform(0, pause_s))  # noqa: S311  jitter, not a secret
            pause_s, number = min(2 * pause_s, self.longest_pause_s), number + 1


@contextmanager
def google_errors(doing: str, role: str) -> Iterator[None]:
    """Turn whatever a Google client raises into Asiento's error family.

    A failed precondition passes through as it came: it is an answer, and only the caller knows what it means.

    Args:
        doing: what is being done and to what, as the start of a message ("reading gs://raw/2026/…").
        role: the IAM role, and on what, that makes it allowed ("roles/storage.objectViewer on the raw bucket").

    Raises:
        TransientError: the service is busy, down or contended, or cannot be reached.
        NotFoundError: what was asked for is not there.
        SettingsError: there are no credentials to call with.
        TerminalError: it is not allowed (the message names the role to grant), or the request itself is wrong.
    """
    try:
        yield
    except (exceptions.PreconditionFailed, exceptions.AlreadyExists):
        raise
    except (exceptions.GoogleAPICallError, exceptions.RetryError, GoogleAuthError, OSError) as error:
        raise meaning_of(error, doing, role) from error


def meaning_of(error: BaseException, doing: str, role: str) -> AsientoError:
    """Return the error of Asiento's family that says what a client library's error means."""
    what = f"{doing}: {type(_cause_of(error)).__name__}"
    if isinstance(error, exceptions.NotFound):
        return NotFoundError(f"{what}: it is not there; check its name and that it was created")
    if isinstance(error, _NOT_ALLOWED):
        return TerminalError(f"{what}: not allowed; grant {role} to the service account that runs this")
    if isinstance(error, DefaultCredentialsError):
        return SettingsError(f"{what}: there are no credentials; run under a service account that has {role}")
    if isinstance(error, (*PASSING, exceptions.Conflict, exceptions.RetryError, GoogleAuthError, OSError)):
        return TransientError(f"{what}: the service is busy, down or contended; try again later")
    reason = error.message if isinstance(error, exceptions.GoogleAPICallError) else ""
    return TerminalError(f"{what}: the request was refused ({reason}); it will be refused again until it changes")


def _cause_of(error: BaseException) -> BaseException:
    """Return what was tried in vain; a library gives up trying only on what it took for passing."""
    return error.cause if isinstance(error, exceptions.RetryError) and error.cause is not None else error
