# The raw store: every accepted delivery, byte for byte, created once and never changed (DESIGN I1, I2).
#
# No versioning: the code creates under a generation precondition and no function holds the right to overwrite or delete, so
# an older version could only come from an operator's mistake. The retention policy refuses that mistake outright, and soft
# delete brings back what goes when the retention is over. A second history would only add its own cost and questions.
resource "google_storage_bucket" "raw" {
  name                        = "${var.project}-raw"
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

  # A month is certified within days of its end; after that its bytes are read by a trace or a replay, seldom.
  lifecycle_rule {
    action {
      type          = "SetStorageClass"
      storage_class = "NEARLINE"
    }
    condition {
      age                   = 60
      matches_storage_class = ["STANDARD"]
    }
  }

  lifecycle_rule {
    action {
      type          = "SetStorageClass"
      storage_class = "COLDLINE"
    }
    condition {
      age                   = 180
      matches_storage_class = ["NEARLINE"]
    }
  }

  lifecycle_rule {
    action {
      type          = "SetStorageClass"
      storage_class = "ARCHIVE"
    }
    condition {
      age                   = 730
      matches_storage_class = ["COLDLINE"]
    }
  }

  lifecycle {
    prevent_destroy = true
  }

  depends_on = [google_project_service.service]
}

# Creating is not overwriting: the role lacks storage.objects.delete, which replacing an object needs.
resource "google_storage_bucket_iam_member" "raw_receive_create" {
  bucket = google_storage_bucket.raw.name
  role   = "roles/storage.objectCreator"
  member = google_service_account.receive.member
}

# When a create is answered 412, the bytes that are there are compared with ours.
resource "google_storage_bucket_iam_member" "raw_receive_read" {
  bucket = google_storage_bucket.raw.name
  role   = google_project_iam_custom_role.object_reader.id
  member = google_service_account.receive.member
}

# Listing comes with it, because without it Cloud Storage answers 403 for what is absent, and derive must tell the two apart.
resource "google_storage_bucket_iam_member" "raw_derive_list" {
  bucket = google_storage_bucket.raw.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.derive.member
}

resource "google_storage_bucket_iam_member" "raw_reconcile_create" {
  bucket = google_storage_bucket.raw.name
  role   = "roles/storage.objectCreator"
  member = google_service_account.reconcile.member
}

resource "google_storage_bucket_iam_member" "raw_reconcile_list" {
  bucket = google_storage_bucket.raw.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.reconcile.member
}

resource "google_storage_bucket_iam_member" "raw_decide_create" {
  bucket = google_storage_bucket.raw.name
  role   = "roles/storage.objectCreator"
  member = google_service_account.decide.member
}

resource "google_storage_bucket_iam_member" "raw_decide_read" {
  bucket = google_storage_bucket.raw.name
  role   = google_project_iam_custom_role.object_reader.id
  member = google_service_account.decide.member
}

resource "google_storage_bucket_iam_member" "raw_rebuild_bi_list" {
  bucket = google_storage_bucket.raw.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.rebuild_bi.member
}

resource "google_storage_bucket_iam_member" "raw_audit_list" {
  bucket = google_storage_bucket.raw.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.audit.member
}

# What the door rejected, kept apart and bounded: long enough to mend a wrong secret and readmit, and no longer, because
# nobody has vouched for these bytes. Never derived from. The counts object beside the deliveries stays.
resource "google_storage_bucket" "rejected" {
  name                        = "${var.project}-rejected"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false

  soft_delete_policy {
    retention_duration_seconds = 0
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age            = 30
      matches_prefix = ["deliveries/"]
    }
  }

  depends_on = [google_project_service.service]
}

# The door keeps the bound by itself: it lists, deletes the oldest and rewrites the counts.
resource "google_storage_bucket_iam_member" "rejected_receive_sweep" {
  bucket = google_storage_bucket.rejected.name
  role   = "roles/storage.objectUser"
  member = google_service_account.receive.member
}

resource "google_storage_bucket_iam_member" "rejected_reconcile_list" {
  bucket = google_storage_bucket.rejected.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.reconcile.member
}

# A rejected signature is a sender's mistake, a rotation half done, or an attack: look when it is not a handful.
resource "google_logging_metric" "rejected" {
  name   = "asiento/deliveries_rejected"
  filter = "${local.log_of.receive} AND jsonPayload.message=\"delivery rejected\""

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"

    labels {
      key         = "provider"
      value_type  = "STRING"
      description = "Whose signature it claimed to be."
    }
    labels {
      key         = "refusal"
      value_type  = "STRING"
      description = "Why the door stayed closed."
    }
  }

  label_extractors = {
    provider = "EXTRACT(jsonPayload.provider)"
    refusal  = "EXTRACT(jsonPayload.refusal)"
  }

  depends_on = [google_project_service.service]
}

resource "google_monitoring_alert_policy" "rejected" {
  display_name          = "Asiento: deliveries of one provider are rejected"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = [google_monitoring_notification_channel.on_call.id]

  conditions {
    display_name = "More than 20 rejected in 10 minutes"

    condition_threshold {
      filter          = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.rejected.name}\" AND resource.type=\"cloud_run_revision\""
      comparison      = "COMPARISON_GT"
      threshold_value = 20
      duration        = "0s"

      aggregations {
        alignment_period     = "600s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["metric.label.provider"]
      }
    }
  }

  documentation {
    content   = "Webhooks are turned away. Runbook: docs/runbooks/rotate_a_secret.md, and once the secret is right docs/runbooks/readmit_rejected.md"
    mime_type = "text/markdown"
  }
}
