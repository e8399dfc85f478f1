# Seals and the segments that they are about: created once, kept as long as the raw objects that they attest, in a bucket of
# their own, so that whoever could harm one of the two still has the other to answer to.
#
# A seal is a second copy of its hour. The same retention refuses that either goes before its time, and nothing that runs holds
# the right to delete (docs/adr/0031-nothing-is-purged.md).
resource "google_storage_bucket" "seals" {
  name                        = "${var.project}-seals"
  location                    = var.region
  storage_class               = "STANDARD"
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false

  versioning {
    enabled = false
  }

  retention_policy {
    retention_period = var.raw_retention_days * 86400
    is_locked        = var.raw_retention_locked
  }

  soft_delete_policy {
    retention_duration_seconds = 90 * 86400
  }

  lifecycle {
    prevent_destroy = true
  }

  depends_on = [google_project_service.service]
}

# Sealing is a call to the reconcile door. Creating is not overwriting: the role lacks storage.objects.delete.
resource "google_storage_bucket_iam_member" "seals_reconcile_create" {
  bucket = google_storage_bucket.seals.name
  role   = "roles/storage.objectCreator"
  member = google_service_account.reconcile.member
}

resource "google_storage_bucket_iam_member" "seals_reconcile_list" {
  bucket = google_storage_bucket.seals.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.reconcile.member
}

resource "google_storage_bucket_iam_member" "seals_rebuild_bi_list" {
  bucket = google_storage_bucket.seals.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.rebuild_bi.member
}

resource "google_storage_bucket_iam_member" "seals_audit_list" {
  bucket = google_storage_bucket.seals.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.audit.member
}
