"""Who may ask: keys, a login that gives short-lived tokens, and refresh tokens that serve once."""

import binascii
import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from secrets import compare_digest, token_urlsafe
from time import time
from typing import Any

import jwt
from starlette.requests import Request

from local.simulator.journal import BETTEREZ, MERCADO_PAGO, STRIPE

_ALGORITHM = "HS512"
_AUDIENCE = "betterez-app"
_CLAIMS = {"iss": "btrz-api-accounts", "sub": "account_user_sign_in", "aud": _AUDIENCE}
TOKEN_LIFE_S = 600


@dataclass(frozen=True, slots=True)
class Access:
    """The credentials that the simulated APIs accept, and how long a login lasts. They open nothing but a simulation."""

    api_key: str = "simulated-api-key"
    user: str = "conciliacion@asiento.example"
    password: str = "simulated-password"  # noqa: S105  opens nothing
    signing_key: str = "simulated-private-key-of-the-application-that-signs-the-tokens-of-the-platform"
    stripe_key: str = "rk_simulated"
    mercado_pago_token: str = "APP_USR-simulated"  # noqa: S105  opens nothing
    token_life_s: int = TOKEN_LIFE_S

    @property
    def secrets(self) -> Mapping[str, str]:
        """Return each provider's API credentials in the form in which a secret store keeps them."""
        betterez = {"api_key": self.api_key, "user": self.user, "password": self.password}
        return {BETTEREZ: json.dumps(betterez), STRIPE: self.stripe_key, MERCADO_PAGO: self.mercado_pago_token}


API_SECRETS = Access().secrets
"""The API credentials that the simulated providers accept unless told otherwise."""


class Sessions:
    """The platform's logins."""

    def __init__(self, access: Access) -> None:
        """Start with nobody logged in."""
        self._access = access
        self._refresh_tokens: set[str] = set()
        self._generation = 0
        self.clock_ahead = timedelta(0)
        """By how much the clock that dates tokens is ahead of everybody else's; negative: behind."""
        self.logins = 0
        self.refreshes = 0

    def has_key(self, request: Request) -> bool:
        """Return whether the request carries the application's key."""
        return _is_same(request.headers.get("x-api-key", ""), self._access.api_key)

    def is_login(self, request: Request) -> bool:
        """Return whether the request carries the service user's name and password."""
        scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
        try:
            given = b64decode(encoded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return False
        return scheme.lower() == "basic" and _is_same(given, f"{self._access.user}:{self._access.password}")

    def log_in(self) -> dict[str, object]:
        """Return a new session."""
        self.logins += 1
        return self._session()

    def refresh(self, refresh_token: str) -> dict[str, object] | None:
        """Return a new session for a refresh token that was not used yet; None otherwise."""
        if refresh_token not in self._refresh_tokens:
            return None
        self._refresh_tokens.discard(refresh_token)
        self.refreshes += 1
        return self._session()

    def is_logged_in(self, request: Request) -> bool:
        """Return whether the request carries a token that is neither expired nor revoked."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return False
        try:
            claims = _claims(token, self._access.signing_key)
        except jwt.InvalidTokenError:
            return False
        # By this clock, which may not be the machine's.
        return bool(claims["generation"] == self._generation and self._now_s() < claims["exp"])

    def revoke_tokens(self) -> None:
        """End every token now, whatever its claims say; refresh tokens still serve."""
        self._generation += 1

    def revoke_everything(self) -> None:
        """End every token and every refresh token: only a new login helps."""
        self.revoke_tokens()
        self._refresh_tokens.clear()

    def _now_s(self) -> int:
        return int(time()) + self.clock_ahead // timedelta(seconds=1)

    def _session(self) -> dict[str, object]:
        now_s = self._now_s()
        claims = {
            **_CLAIMS,
            "iat": now_s,
            "exp": now_s + self._access.token_life_s,
            "jti": token_urlsafe(8),
            "generation": self._generation,
        }
        token = jwt.encode(claims, self._access.signing_key, algorithm=_ALGORITHM)
        refresh_token = token_urlsafe(24)
        self._refresh_tokens.add(refresh_token)
        return {
            "user": {"userName": self._access.user},
            "token": token,
            "shortToken": token,
            "refreshToken": refresh_token,
        }


def has_bearer(request: Request, expected: str) -> bool:
    """Return whether the request carries a fixed key, as Stripe and Mercado Pago ask for it."""
    return _is_same(request.headers.get("authorization", ""), f"Bearer {expected}")


def _is_same(given: str, expected: str) -> bool:
    return compare_digest(given.encode(), expected.encode())


@lru_cache(maxsize=64)
def _claims(token: str, signing_key: str) -> Mapping[str, Any]:
    """Return what a token claims; one session shows the same token thousands of times, and its signature is checked once."""
    claims: Mapping[str, Any] = jwt.decode(
        token,
        signing_key,
        algorithms=[_ALGORITHM],
        audience=_AUDIENCE,
        options={"verify_exp": False, "verify_iat": False},
    )
    return claims
