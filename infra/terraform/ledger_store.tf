# The ledger: entities, facts, event marks, verdicts and outbox, committed together (DESIGN I7). It is a function of the raw
# store (I8) and could be replayed; point-in-time recovery and daily backups are there because a restore is quicker.
locals {
  # The list is written beside the adapter whose queries need it, so that a query and its index change together.
  ledger_queries = jsondecode(file("${path.module}/../../shared/adapters/google/indexes.json"))

  ledger_indexes = {
    for index in local.ledger_queries.indexes :
    join(":", concat([index.collectionGroup, index.queryScope], [for field in index.fields : field.fieldPath])) => index
  }

  ledger_fields = {
    for field in local.ledger_queries.fieldOverrides : "${field.collectionGroup}:${field.fieldPath}" => field
  }

  # Conditions name the database, so that a second database in the project stays out of reach.
  ledger_only = "resource.name == \"${google_firestore_database.ledger.id}\""
}

resource "google_firestore_database" "ledger" {
  name                              = "asiento"
  location_id                       = var.firestore_location
  type                              = "FIRESTORE_NATIVE"
  concurrency_mode                  = "PESSIMISTIC"
  app_engine_integration_mode       = "DISABLED"
  point_in_time_recovery_enablement = "POINT_IN_TIME_RECOVERY_ENABLED"
  delete_protection_state           = "DELETE_PROTECTION_ENABLED"
  deletion_policy                   = "ABANDON"

  lifecycle {
    prevent_destroy = true
  }

  depends_on = [google_project_service.service]
}

resource "google_firestore_index" "ledger" {
  for_each = local.ledger_indexes

  database    = google_firestore_database.ledger.name
  collection  = each.value.collectionGroup
  query_scope = each.value.queryScope

  dynamic "fields" {
    for_each = each.value.fields
    content {
      field_path = fields.value.fieldPath
      order      = fields.value.order
    }
  }
}

# Every field is indexed on its own unless something says no; an index that no query uses costs a write each time.
resource "google_firestore_field" "ledger" {
  for_each = local.ledger_fields

  database   = google_firestore_database.ledger.name
  collection = each.value.collectionGroup
  field      = each.value.fieldPath

  index_config {
    dynamic "indexes" {
      for_each = each.value.indexes
      content {
        order       = indexes.value.order
        query_scope = indexes.value.queryScope
      }
    }
  }
}

# Point-in-time recovery reaches back seven days; backups, fourteen weeks.
resource "google_firestore_backup_schedule" "daily" {
  database  = google_firestore_database.ledger.name
  retention = "8467200s"

  daily_recurrence {}
}

resource "google_project_iam_member" "ledger_derive" {
  project = var.project
  role    = "roles/datastore.user"
  member  = google_service_account.derive.member

  condition {
    title      = "ledger only"
    expression = local.ledger_only
  }
}

resource "google_project_iam_member" "ledger_reconcile" {
  project = var.project
  role    = "roles/datastore.user"
  member  = google_service_account.reconcile.member

  condition {
    title      = "ledger only"
    expression = local.ledger_only
  }
}

resource "google_project_iam_member" "ledger_decide" {
  project = var.project
  role    = "roles/datastore.viewer"
  member  = google_service_account.decide.member

  condition {
    title      = "ledger only"
    expression = local.ledger_only
  }
}

resource "google_project_iam_member" "ledger_rebuild_bi" {
  project = var.project
  role    = "roles/datastore.viewer"
  member  = google_service_account.rebuild_bi.member

  condition {
    title      = "ledger only"
    expression = local.ledger_only
  }
}

resource "google_project_iam_member" "ledger_audit" {
  project = var.project
  role    = "roles/datastore.viewer"
  member  = google_service_account.audit.member

  condition {
    title      = "ledger only"
    expression = local.ledger_only
  }
}

# Conflicts, quarantined and failed deliveries, one series an outcome: none of them may be left out (DESIGN I13).
resource "google_logging_metric" "attention" {
  name   = "asiento/deliveries_needing_attention"
  filter = "${local.log_of.derive} AND jsonPayload.message=\"delivery needs attention\""

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"

    labels {
      key         = "outcome"
      value_type  = "STRING"
      description = "conflict, quarantined or failed."
    }
  }

  label_extractors = {
    outcome = "EXTRACT(jsonPayload.outcome)"
  }

  depends_on = [google_project_service.service]
}

resource "google_monitoring_alert_policy" "attention" {
  display_name          = "Asiento: deliveries need attention"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = [google_monitoring_notification_channel.on_call.id]

  conditions {
    display_name = "A delivery ended as conflict, quarantined or failed"

    condition_threshold {
      filter          = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.attention.name}\" AND resource.type=\"cloud_run_revision\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period     = "600s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["metric.label.outcome"]
      }
    }
  }

  documentation {
    content   = "List them with asiento outcomes. Runbook: docs/runbooks/replay_a_day.md, of a conflict docs/runbooks/settle_a_conflict.md"
    mime_type = "text/markdown"
  }
}
