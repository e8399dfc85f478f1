# One identity a function, so that a stolen one can do what that function does and no more. What each may do stands beside
# the thing that it may do it to; docs/iam.md lists it all, and a test compares the two.
resource "google_service_account" "receive" {
  account_id   = "asiento-receive"
  display_name = "Asiento receive: keeps and announces deliveries"
}

resource "google_service_account" "derive" {
  account_id   = "asiento-derive"
  display_name = "Asiento derive: folds deliveries into the ledger"
}

resource "google_service_account" "reconcile" {
  account_id   = "asiento-reconcile"
  display_name = "Asiento reconcile: finds and fetches what is missing"
}

resource "google_service_account" "rebuild_bi" {
  account_id   = "asiento-rebuild-bi"
  display_name = "Asiento rebuild_bi: rebuilds, certifies and publishes"
}

# People of finance act as this one for as long as they decide (docs/iam.md); no function runs as it.
resource "google_service_account" "decide" {
  account_id   = "asiento-decide"
  display_name = "Asiento decide: signs and keeps what people decide"
}

# Engineers and auditors act as this one while they trace, prove and verify (docs/iam.md): it reads everything that a signature
# is checked again with, and writes nothing. No function runs as it.
resource "google_service_account" "audit" {
  account_id   = "asiento-audit"
  display_name = "Asiento audit: traces, proves and verifies; writes nothing"
}

# The two callers hold no data rights at all: they may only knock at the doors that are not public.
resource "google_service_account" "bus_caller" {
  account_id   = "asiento-bus-caller"
  display_name = "Asiento bus: pushes announcements to derive"
}

resource "google_service_account" "clock_caller" {
  account_id   = "asiento-clock-caller"
  display_name = "Asiento scheduler: starts reconcile and rebuild_bi"
}

# What turns a bundle into an image; without it the build would run as the project's default identity.
resource "google_service_account" "builder" {
  account_id   = "asiento-builder"
  display_name = "Asiento builder: builds the functions' images"
}

# The predefined roles that allow reading an object also allow listing all of them, and those that allow finding a secret's
# versions do not allow reading them. These allow just that.
resource "google_project_iam_custom_role" "object_reader" {
  role_id     = "asientoObjectReader"
  title       = "Asiento object reader"
  description = "Reads an object whose name is known; lists nothing."
  permissions = ["storage.objects.get"]
}

resource "google_project_iam_custom_role" "secret_reader" {
  role_id     = "asientoSecretReader"
  title       = "Asiento secret reader"
  description = "Finds and reads the live versions of the secrets that it is granted on."
  permissions = ["secretmanager.versions.access", "secretmanager.versions.list"]
}
