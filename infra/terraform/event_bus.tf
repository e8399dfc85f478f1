# The bus: announces kept deliveries. A message is a pointer of four attributes, well under one kilobyte, and never holds a
# body: the limit of 10 MB per message is far away, and the bus holds nothing that the raw store does not. It has no schema,
# because a message that a schema refuses would be a delivery that nobody announces.
locals {
  # One stream a channel of shared.domain.deliveries.Channel, so that a flood of one (a file of a million rows, a replay of
  # fetched answers) neither starves nor delays another. A test compares the two lists.
  channels = ["webhook", "fetch", "file", "manual"]

  # Filters decide what a subscription sees, and what none sees is gone. The last stream is everything that the others leave.
  streams = merge(
    { for channel in local.channels : channel => "attributes.channel = \"${channel}\"" },
    { other = "NOT (${join(" OR ", [for channel in local.channels : "attributes.channel = \"${channel}\""])})" },
  )

  bus_agent = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}

resource "google_pubsub_topic" "deliveries" {
  name                       = "deliveries"
  message_retention_duration = "604800s"

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }

  depends_on = [google_project_service.service]
}

resource "google_pubsub_topic_iam_member" "deliveries_receive_publish" {
  topic  = google_pubsub_topic.deliveries.name
  role   = "roles/pubsub.publisher"
  member = google_service_account.receive.member
}

resource "google_pubsub_topic_iam_member" "deliveries_reconcile_publish" {
  topic  = google_pubsub_topic.deliveries.name
  role   = "roles/pubsub.publisher"
  member = google_service_account.reconcile.member
}

resource "google_pubsub_topic_iam_member" "deliveries_decide_publish" {
  topic  = google_pubsub_topic.deliveries.name
  role   = "roles/pubsub.publisher"
  member = google_service_account.decide.member
}

# Delivery is at least once on purpose: derive is idempotent for ever (DESIGN I4), so exactly-once would cost latency and
# buy nothing. The acknowledgement deadline outlasts derive's own time-out, so that no attempt runs beside itself.
resource "google_pubsub_subscription" "stream" {
  for_each = local.streams

  name                       = "derive-${each.key}"
  topic                      = google_pubsub_topic.deliveries.id
  filter                     = each.value
  ack_deadline_seconds       = 90
  message_retention_duration = "604800s"
  retain_acked_messages      = false

  push_config {
    push_endpoint = google_cloudfunctions2_function.function["derive"].service_config[0].uri

    oidc_token {
      service_account_email = google_service_account.bus_caller.email
      audience              = google_cloudfunctions2_function.function["derive"].service_config[0].uri
    }
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead_letters.id
    max_delivery_attempts = 20
  }

  expiration_policy {
    ttl = ""
  }

  depends_on = [google_pubsub_topic_iam_member.dead_letters_bus_publish]
}

# To give a message up, the bus itself takes it from the subscription and publishes it again.
resource "google_pubsub_subscription_iam_member" "stream_bus_consume" {
  for_each = local.streams

  subscription = google_pubsub_subscription.stream[each.key].name
  role         = "roles/pubsub.subscriber"
  member       = local.bus_agent
}

resource "google_pubsub_topic" "dead_letters" {
  name                       = "dead-letters"
  message_retention_duration = "2678400s"

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }

  depends_on = [google_project_service.service]
}

resource "google_pubsub_topic_iam_member" "dead_letters_bus_publish" {
  topic  = google_pubsub_topic.dead_letters.name
  role   = "roles/pubsub.publisher"
  member = local.bus_agent
}

# Kept for a month, the longest there is; the delivery behind a dead letter is in the raw store for ten years.
resource "google_pubsub_subscription" "dead_letters" {
  name                       = "dead-letters"
  topic                      = google_pubsub_topic.dead_letters.id
  ack_deadline_seconds       = 600
  message_retention_duration = "2678400s"

  expiration_policy {
    ttl = ""
  }
}

# The job `stragglers` puts back what goes through by now.
resource "google_pubsub_subscription_iam_member" "dead_letters_reconcile_consume" {
  subscription = google_pubsub_subscription.dead_letters.name
  role         = "roles/pubsub.subscriber"
  member       = google_service_account.reconcile.member
}

resource "google_pubsub_subscription_iam_member" "dead_letters_engineers_consume" {
  subscription = google_pubsub_subscription.dead_letters.name
  role         = "roles/pubsub.subscriber"
  member       = "group:${var.engineers_group}"
}

resource "google_monitoring_alert_policy" "dead_letters" {
  display_name          = "Asiento: dead letters"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = [google_monitoring_notification_channel.on_call.id]

  conditions {
    display_name = "A dead letter waits"

    condition_threshold {
      filter          = "metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\" AND resource.type=\"pubsub_subscription\" AND resource.label.subscription_id=\"${google_pubsub_subscription.dead_letters.name}\""
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
    content   = "A delivery was given up after 20 attempts. Runbook: docs/runbooks/redrive_dead_letters.md"
    mime_type = "text/markdown"
  }
}

resource "google_monitoring_alert_policy" "lag" {
  display_name          = "Asiento: deliveries wait to be derived"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = [google_monitoring_notification_channel.on_call.id]

  conditions {
    display_name = "The oldest waits for more than 15 minutes, in any stream"

    condition_threshold {
      filter          = "metric.type=\"pubsub.googleapis.com/subscription/oldest_unacked_message_age\" AND resource.type=\"pubsub_subscription\" AND resource.label.subscription_id=starts_with(\"derive-\")"
      comparison      = "COMPARISON_GT"
      threshold_value = 900
      duration        = "300s"

      aggregations {
        alignment_period   = "60s"
        per_series_aligner = "ALIGN_MAX"
      }
    }
  }

  documentation {
    content   = "The ledger is behind what arrived. Runbook: docs/runbooks/redrive_dead_letters.md"
    mime_type = "text/markdown"
  }
}
