# The inbox: where people and systems drop files, `<provider>/<file>`, until reconcile takes them in (docs/settlements.md).
# Mappings lie in `mappings/`, what cannot be taken in goes to `refused/`. A file goes once its bytes are in the raw store.
resource "google_storage_bucket" "inbox" {
  name                        = "${var.project}-inbox"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false

  # A mapping that was overwritten, or a file that was taken away by mistake, is there for a month.
  soft_delete_policy {
    retention_duration_seconds = 30 * 86400
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age            = 90
      matches_prefix = ["refused/"]
    }
  }

  depends_on = [google_project_service.service]
}

# It reads what was dropped, takes it away, and writes what it refuses.
resource "google_storage_bucket_iam_member" "inbox_reconcile_use" {
  bucket = google_storage_bucket.inbox.name
  role   = "roles/storage.objectUser"
  member = google_service_account.reconcile.member
}

resource "google_storage_bucket_iam_member" "inbox_finance_use" {
  bucket = google_storage_bucket.inbox.name
  role   = "roles/storage.objectUser"
  member = "group:${var.finance_group}"
}

# A notification only wakes the job `inbox`, which looks by itself at what is there; one that is lost costs an hour at most.
resource "google_pubsub_topic" "inbox" {
  name                       = "inbox"
  message_retention_duration = "86400s"

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }

  depends_on = [google_project_service.service]
}

resource "google_pubsub_topic_iam_member" "inbox_storage_publish" {
  topic  = google_pubsub_topic.inbox.name
  role   = "roles/pubsub.publisher"
  member = "serviceAccount:service-${data.google_project.this.number}@gs-project-accounts.iam.gserviceaccount.com"
}

resource "google_storage_notification" "inbox" {
  bucket         = google_storage_bucket.inbox.name
  topic          = google_pubsub_topic.inbox.id
  payload_format = "NONE"
  event_types    = ["OBJECT_FINALIZE"]

  depends_on = [google_pubsub_topic_iam_member.inbox_storage_publish]
}

# No dead letters: a run that leaves a file behind is a failed job, which has its own alarm, and is repeated every hour.
resource "google_pubsub_subscription" "inbox" {
  name                       = "inbox"
  topic                      = google_pubsub_topic.inbox.id
  ack_deadline_seconds       = 600
  message_retention_duration = "3600s"

  push_config {
    push_endpoint = google_cloudfunctions2_function.function["reconcile"].service_config[0].uri

    oidc_token {
      service_account_email = google_service_account.bus_caller.email
      audience              = google_cloudfunctions2_function.function["reconcile"].service_config[0].uri
    }
  }

  retry_policy {
    minimum_backoff = "60s"
    maximum_backoff = "600s"
  }

  expiration_policy {
    ttl = ""
  }
}

resource "google_cloud_run_v2_service_iam_member" "reconcile_bus" {
  name     = google_cloudfunctions2_function.function["reconcile"].name
  location = var.region
  role     = "roles/run.invoker"
  member   = google_service_account.bus_caller.member
}
