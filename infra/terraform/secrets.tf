# Two secrets a provider: what it signs with, and what its API is asked with; and one that people's decisions are signed with.
# Terraform makes the empty secrets; the values are added by a person (docs/runbooks/rotate_a_secret.md) and never stand in a
# plan, a state or a variable.
locals {
  secret_agent = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-secretmanager.iam.gserviceaccount.com"
}

resource "google_secret_manager_secret" "webhook" {
  for_each = var.provider_names

  secret_id           = "${each.key}-webhook"
  deletion_protection = var.environment == "prod"

  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }

  rotation {
    rotation_period    = "${var.secret_rotation_days * 86400}s"
    next_rotation_time = var.secret_rotation_starts_at
  }

  topics {
    name = google_pubsub_topic.rotations.id
  }

  # Secret Manager moves the date on after each notice.
  lifecycle {
    ignore_changes = [rotation[0].next_rotation_time]
  }

  depends_on = [google_pubsub_topic_iam_member.rotations_secret_publish]
}

resource "google_secret_manager_secret" "api" {
  for_each = var.provider_names

  secret_id           = "${each.key}-api"
  deletion_protection = var.environment == "prod"

  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }

  rotation {
    rotation_period    = "${var.secret_rotation_days * 86400}s"
    next_rotation_time = var.secret_rotation_starts_at
  }

  topics {
    name = google_pubsub_topic.rotations.id
  }

  lifecycle {
    ignore_changes = [rotation[0].next_rotation_time]
  }

  depends_on = [google_pubsub_topic_iam_member.rotations_secret_publish]
}

# What people's decisions are signed with (docs/exceptions.md). No function reads it: the public door does not know the operator.
resource "google_secret_manager_secret" "operator" {
  secret_id           = "operator-webhook"
  deletion_protection = var.environment == "prod"

  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }

  rotation {
    rotation_period    = "${var.secret_rotation_days * 86400}s"
    next_rotation_time = var.secret_rotation_starts_at
  }

  topics {
    name = google_pubsub_topic.rotations.id
  }

  lifecycle {
    ignore_changes = [rotation[0].next_rotation_time]
  }

  depends_on = [google_pubsub_topic_iam_member.rotations_secret_publish]
}

resource "google_secret_manager_secret_iam_member" "operator_decide_read" {
  secret_id = google_secret_manager_secret.operator.secret_id
  role      = google_project_iam_custom_role.secret_reader.id
  member    = google_service_account.decide.member
}

resource "google_secret_manager_secret_iam_member" "webhook_receive_read" {
  for_each = var.provider_names

  secret_id = google_secret_manager_secret.webhook[each.key].secret_id
  role      = google_project_iam_custom_role.secret_reader.id
  member    = google_service_account.receive.member
}

# A trace and a verification check signatures again, those of decisions too.
resource "google_secret_manager_secret_iam_member" "webhook_audit_read" {
  for_each = var.provider_names

  secret_id = google_secret_manager_secret.webhook[each.key].secret_id
  role      = google_project_iam_custom_role.secret_reader.id
  member    = google_service_account.audit.member
}

resource "google_secret_manager_secret_iam_member" "operator_audit_read" {
  secret_id = google_secret_manager_secret.operator.secret_id
  role      = google_project_iam_custom_role.secret_reader.id
  member    = google_service_account.audit.member
}

resource "google_secret_manager_secret_iam_member" "api_reconcile_read" {
  for_each = var.provider_names

  secret_id = google_secret_manager_secret.api[each.key].secret_id
  role      = google_project_iam_custom_role.secret_reader.id
  member    = google_service_account.reconcile.member
}

resource "google_pubsub_topic" "rotations" {
  name = "secret-rotations"

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }

  depends_on = [google_project_service.service]
}

resource "google_pubsub_topic_iam_member" "rotations_secret_publish" {
  topic  = google_pubsub_topic.rotations.name
  role   = "roles/pubsub.publisher"
  member = local.secret_agent
}

# A notice stays until a person has rotated and acknowledged it, and the alarm stays as long.
resource "google_pubsub_subscription" "rotations" {
  name                       = "secret-rotations"
  topic                      = google_pubsub_topic.rotations.id
  filter                     = "attributes.eventType = \"SECRET_ROTATE\""
  ack_deadline_seconds       = 600
  message_retention_duration = "2678400s"

  expiration_policy {
    ttl = ""
  }
}

resource "google_pubsub_subscription_iam_member" "rotations_engineers_consume" {
  subscription = google_pubsub_subscription.rotations.name
  role         = "roles/pubsub.subscriber"
  member       = "group:${var.engineers_group}"
}

resource "google_monitoring_alert_policy" "rotation_due" {
  display_name          = "Asiento: a secret is due for rotation"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = [google_monitoring_notification_channel.on_call.id]

  conditions {
    display_name = "A notice waits"

    condition_threshold {
      filter          = "metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\" AND resource.type=\"pubsub_subscription\" AND resource.label.subscription_id=\"${google_pubsub_subscription.rotations.name}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period   = "300s"
        per_series_aligner = "ALIGN_MAX"
      }
    }
  }

  documentation {
    content   = "Runbook: docs/runbooks/rotate_a_secret.md"
    mime_type = "text/markdown"
  }
}
