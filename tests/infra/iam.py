"""Who may do what to what: as the Terraform files grant it, and as the table in docs/iam.md declares it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.infra.terraform import Block, Configuration, Expression

_TARGETS = {
    "google_artifact_registry_repository_iam_member": "repository",
    "google_cloud_run_v2_service_iam_member": "name",
    "google_project_iam_member": "project",
    "google_pubsub_subscription_iam_member": "subscription",
    "google_pubsub_topic_iam_member": "topic",
    "google_secret_manager_secret_iam_member": "secret_id",
    "google_storage_bucket_iam_member": "bucket",
}
_READABLE_IAM = frozenset({*_TARGETS, "google_project_iam_custom_role"})

_IDENTITIES = (
    (re.compile(r"google_service_account\.(\w+)\.(?:member|email)"), r"\1"),
    (re.compile(r'"group:\$\{var\.(\w+)\}"'), r"\1"),
    (re.compile(r"var\.(\w+_group)"), r"\1"),
    (re.compile(r'"serviceAccount:service-\$\{data\.google_project\.this\.number\}@([\w-]+)\.iam\..*"'), r"agent \1"),
    (re.compile(r'"(\w+)"'), r"\1"),
)

_BROAD = re.compile(
    r"roles/(owner|editor|viewer)|roles/.*(admin|securityReviewer|TokenCreator|serviceAccountUser)", re.IGNORECASE
)
_PUBLIC = frozenset({"allUsers", "allAuthenticatedUsers"})
_ONLY_PUBLIC_GRANT = ("roles/run.invoker", 'google_cloudfunctions2_function.function["receive"]')


@dataclass(frozen=True, order=True, slots=True)
class Grant:
    """One right: an identity holds a role on a thing, under a condition if there is one."""

    identity: str
    role: str
    on: str
    only_if: str = ""


def granted(configuration: Configuration) -> set[Grant]:
    """Return every right that the files grant; raises ValueError for one that cannot be read."""
    return {grant for block in configuration.of_kind("resource") for grant in _grants(block, configuration)}


def declared(markdown: str) -> set[Grant]:
    """Read the table of rights: identity, role, on, only if, and why, which is for people and must not be empty."""
    grants: set[Grant] = set()
    for identity, role, on, only_if, why in _rows(markdown, "| identity | role | on | only if | why |"):
        if not why:
            raise ValueError(f"{identity} holds {role} on {on} without a reason")
        grants.add(Grant(identity, role, on, only_if))
    return grants


def custom_roles(configuration: Configuration) -> dict[str, set[str]]:
    """Return the permissions of each custom role."""
    return {
        f"custom {name}": set(block.attributes["permissions"].literals)
        for (type_, name), block in configuration.resources.items()
        if type_ == "google_project_iam_custom_role"
    }


def declared_custom_roles(markdown: str) -> dict[str, set[str]]:
    """Read the table of custom roles: name and permissions."""
    return {
        name: set(permissions.replace(",", " ").split())
        for name, permissions in _rows(markdown, "| custom role | permissions |")
    }


def forbidden(configuration: Configuration) -> Iterator[str]:
    """Yield what no table can allow: broad roles, a second public door, grants that take away those of others."""
    for block in configuration.of_kind("resource"):
        type_ = block.labels[0]
        if "_iam_" in type_ and type_ not in _READABLE_IAM:
            yield f"{block.address}: {type_} is authoritative or unknown; grant with a member resource that iam.py reads"
        if type_ == "google_bigquery_dataset" and not block.inside("access"):
            yield f"{block.address} has no access list: it would get the project's default readers and editors"
    for grant in sorted(granted(configuration)):
        if _BROAD.fullmatch(grant.role):
            yield f"{grant.identity} holds the broad role {grant.role} on {grant.on}"
        if grant.identity in _PUBLIC and (grant.role, grant.on) != _ONLY_PUBLIC_GRANT:
            yield f"{grant.role} on {grant.on} is public; only receive is"


def _grants(block: Block, configuration: Configuration) -> Iterator[Grant]:
    type_ = block.labels[0]
    if type_ in _TARGETS:
        written = block.attributes
        yield Grant(
            _identity(written["member"], configuration, block),
            _role(written["role"]),
            _target(written[_TARGETS[type_]]),
            _condition(block, configuration),
        )
    elif type_ == "google_bigquery_dataset":
        for access in block.inside("access"):
            yield _dataset_grant(block, access, configuration)


def _dataset_grant(dataset: Block, access: Block, configuration: Configuration) -> Grant:
    for member in ("user_by_email", "group_by_email", "special_group", "domain", "iam_member"):
        if member in access.attributes:
            identity = _identity(access.attributes[member], configuration, dataset)
            return Grant(identity, _role(access.attributes["role"]), dataset.address)
    inner = access.inside("dataset")
    if not inner:
        raise ValueError(f"{dataset.address}: an access block that names nobody this reader knows")
    source = _target(inner[0].inside("dataset")[0].attributes["dataset_id"])
    kinds = " and ".join(inner[0].attributes["target_types"].literals)
    return Grant(f"{kinds} of {source}", "READER", dataset.address)


def _identity(member: Expression, configuration: Configuration, block: Block) -> str:
    text = _looked_up(member, configuration)
    for form, name in _IDENTITIES:
        if form.fullmatch(text):
            return form.sub(name, text)
    raise ValueError(
        f"{block.address}: cannot tell who {text} is; write a service account, a group variable or an agent"
    )


def _condition(block: Block, configuration: Configuration) -> str:
    """Return the condition's expression in plain words, not its title: a title promises, an expression holds."""
    conditions = block.inside("condition")
    if not conditions:
        return ""
    text = _looked_up(conditions[0].attributes["expression"], configuration)
    return text[1:-1].replace('\\"', "").replace("${", "").replace("}", "")


def _looked_up(expression: Expression, configuration: Configuration) -> str:
    """Return the text of an expression, or of the local that it points at."""
    local = re.fullmatch(r"local\.(\w+)", expression.text)
    return configuration.locals[local[1]].text if local and local[1] in configuration.locals else expression.text


def _role(role: Expression) -> str:
    if custom := re.fullmatch(r"google_project_iam_custom_role\.(\w+)\.id", role.text):
        return f"custom {custom[1]}"
    if role.literal is None:
        raise ValueError(f"cannot tell which role {role.text} is; write it out")
    return role.literal


def _target(target: Expression) -> str:
    """Return the thing that a right is on: its address, and its key if it is one of many."""
    if target.text == "var.project":
        return "project"
    reference = next((each for each in target.references if each.root.startswith("google_")), None)
    if reference is None:
        raise ValueError(f"cannot tell what {target.text} is; point at the resource that the right is on")
    return "".join(
        part if part.startswith("[") or not position else f".{part}"
        for position, part in enumerate(reference.parts[:-1])
    )


def _rows(markdown: str, header: str) -> Iterator[list[str]]:
    """Yield the cells of the table under a header line, without the backticks around them."""
    lines = iter(markdown.splitlines())
    if header not in lines:
        raise ValueError(f"there is no table with the header {header}")
    next(lines)
    for line in lines:
        if not line.startswith("|"):
            return
        yield [cell.strip().replace("`", "") for cell in line.strip().strip("|").split("|")]
