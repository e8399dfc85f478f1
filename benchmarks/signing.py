"""Signatures of what the benchmarks post or read, made now: verifiers refuse old ones."""

import hmac
import time
from hashlib import sha256


def signed(provider: str, body: bytes, key: str) -> dict[str, str]:
    """Return the headers that sign a body as Betterez or Stripe does."""
    signed_at = str(int(time.time()))
    digest = hmac.new(key.encode(), signed_at.encode() + b"." + body, sha256).hexdigest()
    if provider == "stripe":
        return {"content-type": "application/json", "stripe-signature": f"t={signed_at},v1={digest}"}
    return {"content-type": "application/json", "x-btrz-signature": f"t={signed_at},s=x,s2={digest}"}
