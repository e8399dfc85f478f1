# /// script
# requires-python = ">=3.11"
# dependencies = ["cdktf-cdktf-provider-google==16.12.1"]
# ///
"""Write a small summary of the google provider's own schema, for the resource types that infra/terraform uses.

The Terraform registry is out of reach of the tests, but the bindings that the Terraform CDK generates from the provider's
schema are on PyPI: every attribute with its type, whether it is required, and which ones are blocks. The summary is
committed and the tests hold every resource against it. Run this again, in an environment with the package above, when a
resource type is added or the provider is upgraded:

    uv run scripts/extract_provider_schema.py
"""

import json
import re
import sys
import tarfile
from importlib.metadata import files, version
from pathlib import Path
from typing import Any

PACKAGE = "cdktf-cdktf-provider-google"
TERRAFORM = Path(__file__).parent.parent / "infra" / "terraform"
SUMMARY = TERRAFORM / "schema" / "google.json"

_ASSEMBLY = "package/.jsii"
_PREFIX = "@cdktf/provider-google."
_LINK = re.compile(r"providers/hashicorp/google/(?P<version>[\d.]+)/docs/[a-z-]+/(?P<type>\w+)#(?P<name>\w+)")
_DECLARED = re.compile(r'^(?P<mode>resource|data) "(?P<type>google_\w+)"', re.MULTILINE)

Json = dict[str, Any]


def main() -> None:
    """Read the assembly once, summarise what is in use, write the summary."""
    types = _assembly()["types"]
    declared = {match.group("mode", "type") for path in TERRAFORM.glob("*.tf") for match in _declarations(path)}
    summary = {
        "source": f"{PACKAGE} {version(PACKAGE)}",
        "provider_version": _provider_version(types),
        "resource": {name: _summary(types, name, mode) for mode, name in sorted(declared) if mode == "resource"},
        "data": {name: _summary(types, name, mode) for mode, name in sorted(declared) if mode == "data"},
    }
    SUMMARY.write_text(json.dumps(summary, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    sys.stdout.write(f"{len(declared)} types of provider {summary['provider_version']} in {SUMMARY.name}\n")


def _declarations(path: Path) -> list[re.Match[str]]:
    return list(_DECLARED.finditer(path.read_text(encoding="utf-8")))


def _assembly() -> Json:
    archive = next(each for each in files(PACKAGE) or () if each.name.endswith(".jsii.tgz"))
    with tarfile.open(archive.locate(), "r:gz") as members:
        assembly = members.extractfile(_ASSEMBLY)
        if assembly is None:
            raise SystemExit(f"{archive.name} holds no {_ASSEMBLY}; the package has changed its form")
        loaded: Json = json.load(assembly)
        return loaded


def _provider_version(types: Json) -> str:
    bucket = types[f"{_PREFIX}storageBucket.StorageBucketConfig"]
    return next(link["version"] for each in bucket["properties"] if (link := _link(each)))


def _summary(types: Json, terraform_type: str, mode: str) -> Json:
    """Return what may and must be written in a resource, and what can be read from it."""
    camel = _camel(terraform_type if mode == "data" else terraform_type.removeprefix("google_"))
    namespace = f"data{camel}" if mode == "data" else camel[0].lower() + camel[1:]
    name = f"{_PREFIX}{namespace}.{namespace[0].upper()}{namespace[1:]}"
    if f"{name}Config" not in types:
        raise SystemExit(f"{terraform_type} is not in {PACKAGE}: does the {mode} exist?")
    summary = _written(types, f"{name}Config")
    summary["readable"] = _readable(types[name])
    return summary


def _written(types: Json, fqn: str) -> Json:
    """Return the attributes and blocks of a configuration struct, nested blocks included."""
    attributes: Json = {}
    required: list[str] = []
    blocks: Json = {}
    for each in types[fqn].get("properties", []):
        link = _link(each)
        if link is None or (link["name"] == "id" and fqn.endswith("Config")):
            continue
        name = link["name"]
        if not each.get("optional"):
            required.append(name)
        if each["docs"].get("summary", "").endswith(" block."):
            blocks[name] = _written(types, _struct(each["type"])) | {"many": "collection" in json.dumps(each["type"])}
        else:
            attributes[name] = _shape(each["type"])
    return {"attributes": attributes, "required": sorted(required), "blocks": blocks}


def _readable(owner: Json) -> list[str]:
    """Return the names that can be read from a resource, computed ones included."""
    names = {each["name"] for each in owner["properties"] if not each.get("static")}
    return sorted({_snake(name) for name in names if not name.endswith("Input")} | {"id"})


def _link(member: Json) -> re.Match[str] | None:
    return _LINK.search(json.dumps(member["docs"]))


def _struct(shape: Json) -> str:
    """Return the struct that a block is made of: itself, or the element of its list."""
    found = re.search(rf'"({re.escape(_PREFIX)}[\w.]+)"', json.dumps(shape))
    if found is None:
        raise SystemExit(f"a block without a struct: {shape}")
    return found[1]


def _shape(shape: Json) -> str:
    """Return string, number, bool, list, map or object."""
    if "primitive" in shape:
        return str({"boolean": "bool"}.get(shape["primitive"], shape["primitive"]))
    if "collection" in shape:
        return str({"array": "list"}.get(shape["collection"]["kind"], shape["collection"]["kind"]))
    if "union" in shape:
        return next(_shape(each) for each in shape["union"]["types"] if each.get("fqn") != "cdktf.IResolvable")
    return "object"


def _camel(snake: str) -> str:
    return "".join(part.capitalize() for part in snake.split("_"))


def _snake(camel: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", camel).lower()


if __name__ == "__main__":
    main()
