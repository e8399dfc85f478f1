"""What the deployment allows whom, held against the table that people read and reason about."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.infra.iam import custom_roles, declared, declared_custom_roles, forbidden, granted
from tests.infra.terraform import Configuration

Broken = Callable[[str, str, str], Configuration]


@pytest.fixture(scope="module")
def table(repository: Path) -> str:
    """Return the page that declares every right."""
    return (repository / "docs" / "iam.md").read_text()


def test_rights_are_those_of_the_table(configuration: Configuration, table: str) -> None:
    """Asiento grants exactly what docs/iam.md declares with a reason: nothing wider, nothing forgotten."""
    assert granted(configuration) - declared(table) == set(), "granted, but not in docs/iam.md"
    assert declared(table) - granted(configuration) == set(), "in docs/iam.md, but not granted"


def test_custom_roles_are_those_of_the_table(configuration: Configuration, table: str) -> None:
    """Asiento's own roles hold exactly the permissions that docs/iam.md lists."""
    assert custom_roles(configuration) == declared_custom_roles(table)


def test_nothing_is_granted_that_no_table_can_allow(configuration: Configuration) -> None:
    """Asiento has one public door, no broad role, and no grant that takes away those of others."""
    assert list(forbidden(configuration)) == []


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        pytest.param("raw_store.tf", "roles/storage.objectCreator", "roles/storage.objectUser", id="wider role"),
        pytest.param(
            "raw_store.tf",
            "google_storage_bucket.raw.name\n  role   = google_project_iam_custom_role",
            "google_storage_bucket.bundles.name\n  role   = google_project_iam_custom_role",
            id="another thing",
        ),
        pytest.param(
            "raw_store.tf",
            "google_service_account.receive.member",
            "google_service_account.bus_caller.member",
            id="another identity",
        ),
        pytest.param(
            "ledger_store.tf",
            r'"resource.name == \"${google_firestore_database.ledger.id}\""',
            '"true"',
            id="no condition",
        ),
        pytest.param(
            "warehouse.tf", 'role           = "READER"', 'role           = "WRITER"', id="wider dataset access"
        ),
        pytest.param("warehouse.tf", "var.engineers_group", "var.analysts_group", id="another group"),
        pytest.param(
            "event_bus.tf", "@gcp-sa-pubsub.iam", "@gcp-sa-cloudbuild.iam", id="another agent behind the same local"
        ),
        pytest.param(
            "secrets.tf",
            "google_secret_manager_secret.webhook[each.key].secret_id",
            "google_secret_manager_secret.api[each.key].secret_id",
            id="another's secret",
        ),
    ],
)
def test_a_right_beyond_the_table_is_seen(broken: Broken, table: str, file: str, old: str, new: str) -> None:
    """Asiento sees a right that is wider than its table, whichever part of it was widened."""
    assert granted(broken(file, old, new)) - declared(table)


def test_a_wider_custom_role_is_seen(broken: Broken, table: str) -> None:
    """Asiento sees a permission that slipped into a role of its own."""
    wider = broken("identities.tf", '["storage.objects.get"]', '["storage.objects.get", "storage.objects.delete"]')
    assert custom_roles(wider) != declared_custom_roles(table)


@pytest.mark.parametrize(
    ("file", "old", "new", "fault"),
    [
        pytest.param(
            "functions.tf",
            "google_service_account.bus_caller.member",
            '"allUsers"',
            'function["derive"] is public',
            id="a second public door",
        ),
        pytest.param(
            "raw_store.tf",
            "google_service_account.derive.member",
            '"allAuthenticatedUsers"',
            "is public",
            id="a public bucket",
        ),
        pytest.param(
            "event_bus.tf",
            '"serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"',
            '"allUsers"',
            "is public",
            id="public through a local",
        ),
        pytest.param(
            "functions.tf", "roles/logging.logWriter", "roles/editor", "broad role roles/editor", id="basic role"
        ),
        pytest.param(
            "functions.tf",
            "roles/artifactregistry.writer",
            "roles/artifactregistry.admin",
            "broad role",
            id="administrator",
        ),
        pytest.param(
            "functions.tf",
            "roles/logging.logWriter",
            "roles/iam.serviceAccountTokenCreator",
            "broad role",
            id="acting as another",
        ),
        pytest.param(
            "raw_store.tf",
            'google_storage_bucket_iam_member" "raw_derive',
            'google_storage_bucket_iam_binding" "raw_derive',
            "authoritative or unknown",
            id="binding",
        ),
    ],
)
def test_what_no_table_can_allow_is_refused(broken: Broken, file: str, old: str, new: str, fault: str) -> None:
    """Asiento refuses public doors, broad roles and authoritative grants even if somebody writes them into the table."""
    assert any(fault in each for each in forbidden(broken(file, old, new)))


def test_a_dataset_without_an_access_list_is_refused(broken: Broken, terraform: Path) -> None:
    """Asiento refuses a dataset that would get the project's default readers and editors."""
    text = (terraform / "warehouse.tf").read_text()
    analytics = text[text.index('resource "google_bigquery_dataset" "analytics"') :]
    access = analytics[analytics.index("  access {") : analytics.index("  depends_on")]
    assert any("no access list" in each for each in forbidden(broken("warehouse.tf", access, "")))


@pytest.mark.parametrize(
    ("file", "old", "new", "complaint"),
    [
        pytest.param(
            "raw_store.tf",
            "google_service_account.receive.member",
            "var.alerts_email",
            "cannot tell who",
            id="somebody",
        ),
        pytest.param(
            "raw_store.tf", '"roles/storage.objectCreator"', "var.region", "cannot tell which role", id="some role"
        ),
        pytest.param(
            "raw_store.tf",
            "bucket = google_storage_bucket.raw.name",
            "bucket = var.region",
            "cannot tell what",
            id="something",
        ),
    ],
)
def test_a_right_that_cannot_be_read_is_refused(broken: Broken, file: str, old: str, new: str, complaint: str) -> None:
    """Asiento refuses a right whose holder, role or thing cannot be told from the files alone."""
    with pytest.raises(ValueError, match=complaint):
        granted(broken(file, old, new))


def test_only_receive_can_be_reached_from_outside(configuration: Configuration) -> None:
    """Asiento's other three doors refuse the network before they refuse the caller."""
    ingress = re.findall(r'(\w+)=\{identity=.*?ingress="(\w+)"', configuration.locals["functions"].text)
    assert dict(ingress) == {
        "receive": "ALLOW_ALL",
        "derive": "ALLOW_INTERNAL_ONLY",
        "reconcile": "ALLOW_INTERNAL_ONLY",
        "rebuild_bi": "ALLOW_INTERNAL_ONLY",
    }


def test_a_reason_is_asked_for(table: str) -> None:
    """Asiento refuses a row of the table that gives no reason."""
    bare = re.sub(r"announces what it kept", "", table)
    with pytest.raises(ValueError, match="without a reason"):
        declared(bare)


def test_the_deployer_gets_what_the_page_says(repository: Path, table: str) -> None:
    """Asiento's runbook grants the deployer exactly the roles that docs/iam.md explains."""
    explained = set(re.findall(r"^\| `(roles/[\w.]+)` \|", table, re.MULTILINE))
    runbook = (repository / "docs" / "runbooks" / "deploy_from_nothing.md").read_text()
    loop = re.search(r"for role in \\\n(.*?)\n\s*do", runbook, re.DOTALL)
    assert loop is not None
    assert {f"roles/{name}" for name in re.findall(r"[\w]+\.[\w]+", loop[1])} == explained
