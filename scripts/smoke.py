"""Knock at a deployed Asiento from outside and say whether its doors are open and closed where they should be.

Nothing is sent that could enter the ledger: the requests are unsigned, and being refused for the right reason shows that
the function starts, reads its settings, finds its secrets and checks signatures.

    terraform -chdir=infra/terraform output -json > outputs.json
    python scripts/smoke.py --outputs outputs.json
"""

import argparse
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TIMEOUT_S = 60
"""Long enough for a first start."""
NOBODY = "nobody-listens-here"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a door said: its status, and the word for machines in its body if there is one."""

    status: int
    error: str


def main(arguments: list[str] | None = None) -> None:
    """Knock everywhere; exit with 1 and name what is wrong if anything is."""
    outputs = json.loads(_options(arguments).outputs.read_text(encoding="utf-8"))
    receive_url, providers, private_urls = (
        outputs[name]["value"] for name in ("receive_url", "providers", "private_urls")
    )
    wrong = list(faults(receive_url.rstrip("/"), providers, private_urls))
    for fault in wrong:
        sys.stderr.write(f"{fault}\n")
    if wrong:
        sys.exit(1)
    sys.stdout.write(f"{1 + len(private_urls)} doors answer as they should, for {', '.join(providers)}\n")


def faults(receive_url: str, providers: list[str], private_urls: list[str]) -> Iterator[str]:
    """Yield one sentence for each door that does not answer as it should."""
    expected = [
        ("GET", receive_url, Answer(405, "method_not_allowed")),
        ("POST", f"{receive_url}/{NOBODY}", Answer(404, "unknown_provider")),
        *(("POST", f"{receive_url}/{provider}", Answer(401, "signature_missing")) for provider in providers),
    ]
    for method, url, wanted in expected:
        if (said := knock(method, url)) != wanted:
            yield f"{method} {url} answered {said.status} {said.error}, not {wanted.status} {wanted.error}"
    for url in private_urls:
        # 403 is the identity check; 404 is the network, which does not even say that something is there.
        if (said := knock("POST", url)).status not in (403, 404) or said.error:
            yield f"POST {url} answered {said.status} {said.error}: it must refuse whoever has no identity"


def knock(method: str, url: str) -> Answer:
    """Send an empty, unsigned request and return the answer; status 0 if there is none."""
    body = b"{}" if method == "POST" else None
    request = urllib.request.Request(url, body, {"content-type": "application/json"}, method=method)  # noqa: S310  the operator names the address
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310  same
            return Answer(response.status, _error(response.read()))
    except urllib.error.HTTPError as refused:
        return Answer(refused.code, _error(refused.read()))
    except OSError as unreachable:
        return Answer(0, str(unreachable))


def _error(body: bytes) -> str:
    try:
        document = json.loads(body)
    except ValueError:
        return ""
    return str(document.get("error", "")) if isinstance(document, dict) else ""


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Check from outside that a deployment's doors are as they should be.")
    parser.add_argument("--outputs", type=Path, required=True, help="what terraform output -json printed")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
