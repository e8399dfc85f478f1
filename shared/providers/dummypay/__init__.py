"""DummyPay: the smallest complete provider, the worked example of docs/new-provider.md."""

from shared.ports.provider import Provider
from shared.providers.dummypay.capabilities import CAPABILITIES
from shared.providers.dummypay.signature import verify
from shared.providers.dummypay.translate import read

PROVIDER = Provider(CAPABILITIES, verify, read, open_api=None)
