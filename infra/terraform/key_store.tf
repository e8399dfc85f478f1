# The keys of people, one object each: who erases a person deletes objects here, and what they close elsewhere is unreadable.
#
# Deleted is gone at once: no versions, no soft delete, no retention. Nobody may copy this bucket elsewhere (docs/erasure.md).
resource "google_storage_bucket" "keys" {
  name                        = "${var.project}-keys"
  location                    = var.region
  storage_class               = "STANDARD"
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false

  versioning {
    enabled = false
  }

  soft_delete_policy {
    retention_duration_seconds = 0
  }

  lifecycle {
    prevent_destroy = true
  }

  depends_on = [google_project_service.service]
}

resource "google_storage_bucket_iam_member" "keys_receive_create" {
  bucket = google_storage_bucket.keys.name
  role   = "roles/storage.objectCreator"
  member = google_service_account.receive.member
}

# Listing comes with it, because without it Cloud Storage answers 403 for a person who is not known yet.
resource "google_storage_bucket_iam_member" "keys_receive_read" {
  bucket = google_storage_bucket.keys.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.receive.member
}

resource "google_storage_bucket_iam_member" "keys_reconcile_create" {
  bucket = google_storage_bucket.keys.name
  role   = "roles/storage.objectCreator"
  member = google_service_account.reconcile.member
}

resource "google_storage_bucket_iam_member" "keys_reconcile_read" {
  bucket = google_storage_bucket.keys.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.reconcile.member
}

# An erasure is a decision: only who decides deletes keys. It counts what becomes unreadable, and forgets what was rejected.
resource "google_storage_bucket_iam_member" "keys_decide_erase" {
  bucket = google_storage_bucket.keys.name
  role   = "roles/storage.objectUser"
  member = google_service_account.decide.member
}

# The bytes that were signed are restored before their signature is checked again.
resource "google_storage_bucket_iam_member" "keys_audit_read" {
  bucket = google_storage_bucket.keys.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.audit.member
}

resource "google_storage_bucket_iam_member" "raw_decide_list" {
  bucket = google_storage_bucket.raw.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.decide.member
}

resource "google_storage_bucket_iam_member" "rejected_decide_forget" {
  bucket = google_storage_bucket.rejected.name
  role   = "roles/storage.objectUser"
  member = google_service_account.decide.member
}
