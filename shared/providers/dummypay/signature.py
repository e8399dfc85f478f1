"""The signature of DummyPay: Standard Webhooks, as it is."""

from shared.providers.toolkit.hmac_schemes import verify_standard_webhooks as verify

__all__ = ["verify"]
