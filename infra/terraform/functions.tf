# The four functions, each from a bundle whose name is its digest: what runs can be compared with what was built, a change of
# content is a change of name, and a bundle that was deployed once is still there for the way back.
locals {
  functions = {
    receive = {
      identity        = google_service_account.receive.email
      description     = "Keeps and announces what providers post."
      ingress         = "ALLOW_ALL"
      memory          = "512Mi"
      cpu             = "1"
      timeout_s       = 30
      concurrency     = 80
      instances_min   = var.receive_instances_min
      instances_max   = var.receive_instances_max
      extra_variables = {}
    }
    # A delivery is one short transaction; few at once in an instance keep contention between hot entities low.
    derive = {
      identity        = google_service_account.derive.email
      description     = "Folds announced deliveries into the ledger."
      ingress         = "ALLOW_INTERNAL_ONLY"
      memory          = "512Mi"
      cpu             = "1"
      timeout_s       = 60
      concurrency     = 8
      instances_min   = 0
      instances_max   = var.derive_instances_max
      extra_variables = {}
    }
    # The scheduler waits thirty minutes at most.
    reconcile = {
      identity        = google_service_account.reconcile.email
      description     = "Finds and fetches what is missing or different."
      ingress         = "ALLOW_INTERNAL_ONLY"
      memory          = "1Gi"
      cpu             = "1"
      timeout_s       = 1800
      concurrency     = 1
      instances_min   = 0
      instances_max   = 4
      extra_variables = { for name, url in var.api_urls : "ASIENTO_API_URL_${upper(name)}" => url }
    }
    # One build at a time: a second start is answered 429 and tried again by the scheduler.
    rebuild_bi = {
      identity        = google_service_account.rebuild_bi.email
      description     = "Rebuilds, certifies and publishes the months."
      ingress         = "ALLOW_INTERNAL_ONLY"
      memory          = "2Gi"
      cpu             = "1"
      timeout_s       = 1800
      concurrency     = 1
      instances_min   = 0
      instances_max   = 1
      extra_variables = {}
    }
  }

  function_variables = {
    ASIENTO_WORLD              = "google"
    ASIENTO_PROJECT            = var.project
    ASIENTO_RAW_BUCKET         = google_storage_bucket.raw.name
    ASIENTO_REJECTED_BUCKET    = google_storage_bucket.rejected.name
    ASIENTO_KEY_BUCKET         = google_storage_bucket.keys.name
    ASIENTO_SEAL_BUCKET        = google_storage_bucket.seals.name
    ASIENTO_INBOX_BUCKET       = google_storage_bucket.inbox.name
    ASIENTO_TOPIC              = google_pubsub_topic.deliveries.name
    ASIENTO_DEAD_LETTERS       = google_pubsub_subscription.dead_letters.name
    ASIENTO_FIRESTORE_DATABASE = google_firestore_database.ledger.name
    ASIENTO_BQ_LOCATION        = var.bq_location
    ASIENTO_PROVIDERS          = join(",", sort(var.provider_names))
    ASIENTO_CODE_VERSION       = var.code_version
  }
}

resource "google_storage_bucket" "bundles" {
  name                        = "${var.project}-bundles"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false

  depends_on = [google_project_service.service]
}

# ABANDON: a new digest is a new object, and the one before stays for the way back.
resource "google_storage_bucket_object" "bundle" {
  for_each = local.functions

  bucket          = google_storage_bucket.bundles.name
  name            = "${each.key}-${var.bundle_digests[each.key]}.zip"
  source          = "${var.bundle_dir}/${each.key}-${var.bundle_digests[each.key]}.zip"
  content_type    = "application/zip"
  deletion_policy = "ABANDON"
}

resource "google_artifact_registry_repository" "images" {
  repository_id = "asiento"
  location      = var.region
  format        = "DOCKER"
  description   = "Images that the functions' builds make."

  cleanup_policies {
    id     = "keep-the-newest"
    action = "KEEP"
    most_recent_versions {
      keep_count = 20
    }
  }

  cleanup_policies {
    id     = "delete-the-old"
    action = "DELETE"
    condition {
      older_than = "7776000s"
    }
  }

  depends_on = [google_project_service.service]
}

resource "google_storage_bucket_iam_member" "bundles_builder_read" {
  bucket = google_storage_bucket.bundles.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.builder.member
}

resource "google_artifact_registry_repository_iam_member" "images_builder_write" {
  repository = google_artifact_registry_repository.images.name
  location   = var.region
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.builder.member
}

resource "google_project_iam_member" "logs_builder_write" {
  project = var.project
  role    = "roles/logging.logWriter"
  member  = google_service_account.builder.member
}

resource "google_cloudfunctions2_function" "function" {
  for_each = local.functions

  name        = "asiento-${replace(each.key, "_", "-")}"
  location    = var.region
  description = each.value.description

  build_config {
    runtime           = "python312"
    entry_point       = each.key
    docker_repository = google_artifact_registry_repository.images.id
    service_account   = google_service_account.builder.id

    # The build compiles our sources, and the image that it makes gives every file another time. Bytecode that names the time
    # of its source would be thrown away at each cold start; with this variable it names the digest of its source.
    environment_variables = {
      SOURCE_DATE_EPOCH = "315532800"
    }

    source {
      storage_source {
        bucket = google_storage_bucket.bundles.name
        object = google_storage_bucket_object.bundle[each.key].name
      }
    }
  }

  service_config {
    service_account_email            = each.value.identity
    ingress_settings                 = each.value.ingress
    available_memory                 = each.value.memory
    available_cpu                    = each.value.cpu
    timeout_seconds                  = each.value.timeout_s
    max_instance_request_concurrency = each.value.concurrency
    min_instance_count               = each.value.instances_min
    max_instance_count               = each.value.instances_max
    all_traffic_on_latest_revision   = true
    environment_variables            = merge(local.function_variables, each.value.extra_variables)
  }

  depends_on = [
    google_artifact_registry_repository_iam_member.images_builder_write,
    google_project_iam_member.logs_builder_write,
    google_storage_bucket_iam_member.bundles_builder_read,
  ]
}

# The one door without an identity: providers cannot have one, their signature is their proof (DESIGN I12).
resource "google_cloud_run_v2_service_iam_member" "receive_public" {
  name     = google_cloudfunctions2_function.function["receive"].name
  location = var.region
  role     = "roles/run.invoker"
  member   = "allUsers"
}

resource "google_cloud_run_v2_service_iam_member" "derive_bus" {
  name     = google_cloudfunctions2_function.function["derive"].name
  location = var.region
  role     = "roles/run.invoker"
  member   = google_service_account.bus_caller.member
}

resource "google_cloud_run_v2_service_iam_member" "reconcile_clock" {
  name     = google_cloudfunctions2_function.function["reconcile"].name
  location = var.region
  role     = "roles/run.invoker"
  member   = google_service_account.clock_caller.member
}

resource "google_cloud_run_v2_service_iam_member" "rebuild_bi_clock" {
  name     = google_cloudfunctions2_function.function["rebuild_bi"].name
  location = var.region
  role     = "roles/run.invoker"
  member   = google_service_account.clock_caller.member
}

# What no other alarm names: a function that answers 5xx for more than a moment.
resource "google_monitoring_alert_policy" "server_errors" {
  display_name          = "Asiento: a function answers with errors"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = [google_monitoring_notification_channel.on_call.id]

  conditions {
    display_name = "5xx for ten minutes, in any function"

    condition_threshold {
      filter          = "metric.type=\"run.googleapis.com/request_count\" AND resource.type=\"cloud_run_revision\" AND resource.label.service_name=starts_with(\"asiento-\") AND metric.label.response_code_class=\"5xx\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "600s"

      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["resource.label.service_name"]
      }
    }
  }

  documentation {
    content   = "Runbook: docs/runbooks/roll_back.md"
    mime_type = "text/markdown"
  }
}
