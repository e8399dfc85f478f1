"""What the Terraform files promise, held without a network."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.bundle_environments import BUILD_VARIABLES
from shared.domain.deliveries import Channel
from shared.runtime.settings import VARIABLES, Settings
from tests.infra.rules import Schema, faults
from tests.infra.terraform import Configuration, assignments

Change = tuple[str, str, str]
"""A file, what it says, and what it would say instead."""
Broken = Callable[[str, str, str], Configuration]

BROKEN: dict[str, tuple[Change, str]] = {
    "unknown resource": (
        (
            "event_bus.tf",
            'resource "google_pubsub_topic" "dead_letters"',
            'resource "google_pubsub_themes" "dead_letters"',
        ),
        "google_pubsub_themes is no resource",
    ),
    "unknown data source": (
        ("project.tf", 'data "google_project"', 'data "google_projekt"'),
        "google_projekt is no data",
    ),
    "unknown attribute": (
        ("raw_store.tf", "uniform_bucket_level_access", "uniform_bucket_access"),
        "has no attribute uniform_bucket_access",
    ),
    "unknown nested attribute": (("raw_store.tf", "is_locked", "locked"), "retention_policy has no attribute locked"),
    "unknown block": (("event_bus.tf", "dead_letter_policy {", "dead_letters {"), "has no block dead_letters"),
    "unknown nested block": (("event_bus.tf", "oidc_token {", "oidc {"), "push_config has no block oidc"),
    "unknown in a dynamic block": (
        ("ledger_store.tf", "field_path = fields", "path = fields"),
        "fields has no attribute path",
    ),
    "a block written as an attribute": (
        ("raw_store.tf", "versioning {\n    enabled = false\n  }", "versioning = false"),
        "has no attribute versioning (it is a block)",
    ),
    "missing required attribute": (
        ("ledger_store.tf", '  type                              = "FIRESTORE_NATIVE"\n', ""),
        "google_firestore_database.ledger lacks type",
    ),
    "missing required nested attribute": (
        (
            "event_bus.tf",
            '    push_endpoint = google_cloudfunctions2_function.function["derive"].service_config[0].uri\n',
            "",
        ),
        "push_config lacks push_endpoint",
    ),
    "missing required block": (
        ("budget.tf", "amount {", "dynamic_amount {"),
        "google_billing_budget.month lacks amount",
    ),
    "a single block twice": (
        ("event_bus.tf", "  retry_policy {", '  retry_policy {\n    minimum_backoff = "1s"\n  }\n\n  retry_policy {'),
        "block retry_policy may stand once and stands 2 times",
    ),
    "a scalar for a list": (
        ("event_bus.tf", "allowed_persistence_regions = [var.region]", 'allowed_persistence_regions = "here"'),
        "is a list, and a scalar is written",
    ),
    "dangling resource": (
        (
            "event_bus.tf",
            "topic                      = google_pubsub_topic.dead_letters.id",
            "topic                      = google_pubsub_topic.dead_letter.id",
        ),
        "google_pubsub_topic.dead_letter.id: it is not declared",
    ),
    "unreadable attribute": (
        ("event_bus.tf", "google_pubsub_topic.dead_letters.id", "google_pubsub_topic.dead_letters.path"),
        "has nothing named path to read",
    ),
    "dangling variable": (("raw_store.tf", "var.raw_retention_days", "var.retention_days"), "no such variable"),
    "dangling local": (("scheduler.tf", "for_each = local.jobs", "for_each = local.job"), "no such local"),
    "dangling data": (("budget.tf", "data.google_project.this", "data.google_project.that"), "it is not declared"),
    "one of many without a key": (
        (
            "scheduler.tf",
            "google_cloudfunctions2_function.function[each.value.function].service_config",
            "google_cloudfunctions2_function.function.service_config",
        ),
        "it is one of many and needs a key",
    ),
    "the only one with a key": (
        (
            "budget.tf",
            "google_monitoring_notification_channel.on_call.id",
            'google_monitoring_notification_channel.on_call["a"].id',
        ),
        "there is only one, it takes no key",
    ),
    "each without for_each": (("budget.tf", "var.billing_account", "each.value"), "the block has no for_each"),
    "dangling inside a template inside a list": (
        ("dashboard.tf", "${google_logging_metric.accepted.name}", "${google_logging_metric.taken.name}"),
        "google_logging_metric.taken.name: it is not declared",
    ),
    "unknown function": (
        ("budget.tf", "tostring(var.budget_units)", "to_string(var.budget_units)"),
        "calls to_string()",
    ),
    "idle variable": (("budget.tf", "tostring(var.budget_units)", '"300"'), "variable budget_units is never read"),
}
"""Each kind of mistake, made once: what is changed in which file, and the fault that must be found."""

ENVIRONMENTS = ("dev", "prod")
MADE_BY_THE_BUILD = {"code_version", "bundle_digests"}


def test_terraform_keeps_every_rule(configuration: Configuration, schema: Schema) -> None:
    """Asiento deploys only what the provider's own schema allows, with no dangling and no idle name."""
    assert faults(configuration, schema) == []


@pytest.mark.parametrize(("change", "fault"), BROKEN.values(), ids=BROKEN)
def test_terraform_refuses_what_is_broken(broken: Broken, schema: Schema, change: Change, fault: str) -> None:
    """Asiento sees each kind of mistake in the Terraform files before anybody applies them."""
    found = faults(broken(*change), schema)
    assert any(fault in each for each in found), found


def test_terraform_refuses_what_it_cannot_look_into(broken: Broken, schema: Schema) -> None:
    """Asiento refuses a heredoc rather than passing over the names inside it."""
    heredoc = "description = <<EOT\n${var.nobody}\nEOT\n  retention_period"
    changed = broken("raw_store.tf", "retention_period", heredoc)
    with pytest.raises(ValueError, match="heredoc"):
        faults(changed, schema)


def test_terraform_refuses_one_name_twice(broken: Broken) -> None:
    """Asiento refuses two resources, or two locals, of one name."""
    with pytest.raises(ValueError, match=r"google_pubsub_topic\.deliveries is declared twice"):
        broken("event_bus.tf", '"google_pubsub_topic" "dead_letters"', '"google_pubsub_topic" "deliveries"')
    with pytest.raises(ValueError, match="local labels is declared twice"):
        broken(
            "budget.tf",
            'resource "google_billing_budget"',
            'locals {\n  labels = {}\n}\n\nresource "google_billing_budget"',
        )
    with pytest.raises(ValueError, match="labels is written twice"):
        broken("project.tf", "  services = toset([", "  labels = {}\n  services = toset([")


def test_terraform_is_held_against_the_pinned_provider(
    configuration: Configuration, schema: Schema, terraform: Path
) -> None:
    """Asiento checks against the very provider version that it pins, and keeps a summary of nothing else."""
    pinned = re.search(r'source\s+= "hashicorp/google"\s+version = "([\d.]+)"', (terraform / "versions.tf").read_text())
    assert pinned is not None
    assert schema["provider_version"] == pinned[1]
    assert set(schema["resource"]) == {type_ for type_, _ in configuration.resources}
    assert set(schema["data"]) == {type_ for type_, _ in configuration.data}


def test_terraform_is_formatted(terraform: Path) -> None:
    """Asiento keeps its Terraform files as terraform fmt writes them."""
    program = shutil.which("terraform")
    if program is None:
        pytest.skip("terraform is not installed here; Cloud Build checks the format")
    checked = subprocess.run(  # noqa: S603  a program of the path with fixed arguments
        [program, "fmt", "-check", "-recursive", str(terraform)], capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout) == (0, ""), checked.stdout + checked.stderr


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_environment_sets_every_variable(configuration: Configuration, terraform: Path, environment: str) -> None:
    """Asiento sets each variable in each environment, and none that there is not."""
    given = set(assignments((terraform / "environments" / f"{environment}.tfvars").read_text()))
    needed = {
        block.labels[0] for block in configuration.of_kind("variable") if "default" not in block.attributes
    } - MADE_BY_THE_BUILD
    assert given == needed


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_environment_names_known_providers(repository: Path, terraform: Path, environment: str) -> None:
    """Asiento deploys only providers that have a folder, and leaves none of them out of the alarm of silence."""
    given = assignments((terraform / "environments" / f"{environment}.tfvars").read_text())
    names = set(given["provider_names"].literals)
    folders = {path.parent.name for path in (repository / "shared" / "providers").glob("*/capabilities.py")}
    assert names
    assert names <= folders
    for mapping in ("silence_s", "api_urls"):
        assert set(re.findall(r"(\w+)\s*=", _source(terraform, environment, mapping))) == names, mapping


def test_functions_get_the_settings_that_they_need(configuration: Configuration) -> None:
    """Asiento hands its functions no variable that their settings refuse, and leaves no setting of the cloud to a default."""
    names = re.findall(r"(ASIENTO_[A-Z_]+)=", configuration.locals["function_variables"].text)
    given = {**dict.fromkeys(names, "something"), "ASIENTO_WORLD": "google", "ASIENTO_API_URL_STRIPE": "https://api"}
    Settings.from_environment(given)
    assert {f"ASIENTO_{name.upper()}" for name in VARIABLES} - set(names) <= {"ASIENTO_HOME", "ASIENTO_LOG_LEVEL"}
    assert "ASIENTO_API_URL_${upper(name)}" in configuration.locals["functions"].text


def test_the_build_compiles_as_the_tests_do(configuration: Configuration) -> None:
    """Asiento's build is given the variables under which its bundles are started here."""
    function = configuration.resources["google_cloudfunctions2_function", "function"]
    (build,) = function.inside("build_config")
    given = dict(re.findall(r"(\w+)\s*=\s*\"([^\"]*)\"", build.attributes["environment_variables"].text))
    assert given == BUILD_VARIABLES


def test_every_channel_has_its_stream(configuration: Configuration) -> None:
    """Asiento has one push subscription for each channel, and one for whatever no other takes: no filter loses a delivery."""
    assert set(configuration.locals["channels"].literals) == {channel.value for channel in Channel}
    streams = configuration.locals["streams"].text
    assert 'forchannelinlocal.channels:channel=>"attributes.channel = ' in streams
    assert 'other="NOT (${join(" OR ",[forchannelinlocal.channels:"attributes.channel = ' in streams


def test_filters_fit_into_what_pubsub_takes() -> None:
    """Asiento's longest filter stays under the 256 bytes that a subscription may have."""
    each = [f'attributes.channel = "{channel.value}"' for channel in Channel]
    assert len(f"NOT ({' OR '.join(each)})") <= 256


def test_the_ledger_gets_the_indexes_of_its_queries(repository: Path) -> None:
    """Asiento declares composite indexes once, beside the queries, in the form that Terraform reads."""
    indexes = json.loads((repository / "shared" / "adapters" / "google" / "indexes.json").read_text())["indexes"]
    keys = [
        (each["collectionGroup"], each["queryScope"], *(field["fieldPath"] for field in each["fields"]))
        for each in indexes
    ]
    assert len(set(keys)) == len(keys)
    for each in indexes:
        assert each["queryScope"] in {"COLLECTION", "COLLECTION_GROUP"}
        assert all(field["order"] in {"ASCENDING", "DESCENDING"} for field in each["fields"])


def test_alarms_name_runbooks_that_there_are(configuration: Configuration, repository: Path) -> None:
    """Asiento's every alarm leads to a runbook, and to a person."""
    policies = [
        block for (type_, _), block in configuration.resources.items() if type_ == "google_monitoring_alert_policy"
    ]
    assert len(policies) >= 9
    for policy in policies:
        content = policy.inside("documentation")[0].attributes["content"].text
        named = re.findall(r"docs/runbooks/\w+\.md", content)
        assert named, policy.address
        assert all((repository / name).is_file() for name in named), (policy.address, named)
        assert "on_call" in policy.attributes["notification_channels"].text


def test_metrics_count_what_the_code_says(configuration: Configuration, repository: Path) -> None:
    """Asiento's log-based metrics look for messages that its code really writes, with the fields that they take out."""
    code = "\n".join(path.read_text() for path in (repository / "shared").rglob("*.py"))
    for (type_, name), metric in configuration.resources.items():
        if type_ != "google_logging_metric":
            continue
        for message in re.findall(r'jsonPayload\.message=\\"([^"\\]+)\\"', metric.attributes["filter"].text):
            logged = re.search(rf'log\.\w+\(\s*"{re.escape(message)}"(?P<fields>.*?)\)\n', code, re.DOTALL)
            assert logged is not None, f"{name}: nothing logs {message!r}"
            extractors = metric.attributes.get("label_extractors")
            for label in re.findall(r"EXTRACT\(jsonPayload\.(\w+)\)", extractors.text if extractors else ""):
                assert f"{label}=" in logged["fields"], f"{name}: {message!r} is logged without {label}"


def _source(terraform: Path, environment: str, mapping: str) -> str:
    text = (terraform / "environments" / f"{environment}.tfvars").read_text()
    found = re.search(rf"^{mapping} = \{{(.*?)^\}}", text, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]
