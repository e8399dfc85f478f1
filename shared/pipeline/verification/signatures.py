"""Signatures, checked again over the kept bytes as of the moment at which they came."""

from collections.abc import Mapping

from shared.domain.deliveries import Delivery
from shared.domain.errors import Refusal, RefusedError, TerminalError
from shared.pipeline.receive import verify
from shared.pipeline.restoring import Restore, as_kept, signature_erased
from shared.pipeline.verification.findings import Findings
from shared.ports.key_store import Erasure
from shared.ports.provider import Provider
from shared.ports.secrets import Secrets


def check_signature(
    delivery: Delivery,
    providers: Mapping[str, Provider],
    secrets: Secrets,
    found: Findings,
    *,
    is_attested: bool,
    restored: Restore = as_kept,
) -> None:
    """Check one delivery's signature again.

    The door checked it when it came. If a seal attests that these are the bytes of then, a signature that no live secret
    makes was made with one that was rotated away: it cannot be checked. Without a seal it differs. Where a key of a person
    was erased the bytes that were signed are gone; the seal still attests what is kept.
    """
    if not delivery.channel.is_signed:
        return
    provider = providers.get(delivery.provider)
    if provider is None:
        found.cannot_check(f"{delivery.object_name}: the settings name no provider {delivery.provider}")
        return
    try:
        came = restored(delivery)
    except TerminalError as changed:
        found.differs(str(changed))
        found.checked += 1
        return
    if isinstance(came, Erasure):
        found.cannot_check(f"{delivery.object_name}: {signature_erased(came)}")
        return
    try:
        verify(came, provider, secrets, delivery.received_at)
    except RefusedError as refused:
        if refused.refusal is Refusal.NO_SECRET or (is_attested and refused.refusal is Refusal.SIGNATURE_WRONG):
            found.cannot_check(f"{delivery.object_name}: the secret of that time is no longer live")
            return
        found.differs(f"{delivery.object_name}: {refused}")
    found.checked += 1
