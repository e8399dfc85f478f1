# The alarms that no single resource owns, and who is alarmed. The others stand beside what they protect: rejected deliveries
# in raw_store.tf, dead letters and lag in event_bus.tf, what needs attention in ledger_store.tf, failed jobs in scheduler.tf,
# errors of functions in functions.tf, due rotations in secrets.tf, cost in budget.tf.
locals {
  # Where each function's log lines are found. Lines are JSON; `message` says what happened.
  log_of = {
    for name in ["receive", "derive", "reconcile", "rebuild_bi"] :
    name => "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=\"asiento-${replace(name, "_", "-")}\""
  }
}

resource "google_monitoring_notification_channel" "on_call" {
  display_name = "Asiento on call"
  type         = "email"
  labels       = { email_address = var.alerts_email }

  depends_on = [google_project_service.service]
}

# What a provider got a yes for, from the platform's own request log: it counts even if our code forgets to.
resource "google_logging_metric" "accepted" {
  name   = "asiento/deliveries_accepted"
  filter = "${local.log_of.receive} AND log_id(\"run.googleapis.com/requests\") AND httpRequest.requestMethod=\"POST\" AND httpRequest.status>=200 AND httpRequest.status<300"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"

    labels {
      key         = "provider"
      value_type  = "STRING"
      description = "The provider that the path names."
    }
  }

  label_extractors = {
    provider = "REGEXP_EXTRACT(httpRequest.requestUrl, \"https?://[^/]+/([a-z0-9]+)\")"
  }

  depends_on = [google_project_service.service]
}

# Silence looks like success everywhere else. It is heard only of a provider that has spoken once: the deployment's
# verification posts one delivery for each.
resource "google_monitoring_alert_policy" "silence" {
  for_each = var.silence_s

  display_name          = "Asiento: ${each.key} is silent"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = [google_monitoring_notification_channel.on_call.id]

  conditions {
    display_name = "No accepted delivery for ${each.value} s"

    condition_absent {
      filter   = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.accepted.name}\" AND resource.type=\"cloud_run_revision\" AND metric.label.provider=\"${each.key}\""
      duration = "${each.value}s"

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  documentation {
    content   = "Webhooks have stopped coming. reconcile fetches what is missing; find out why. Runbook: docs/runbooks/replay_a_day.md"
    mime_type = "text/markdown"
  }
}

# One line a run that had to announce something again. Now and then is the design at work; often means that announcing fails.
resource "google_logging_metric" "stragglers" {
  name   = "asiento/straggler_recoveries"
  filter = "${local.log_of.reconcile} AND jsonPayload.message=\"stragglers announced\""

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
  }

  depends_on = [google_project_service.service]
}

resource "google_monitoring_alert_policy" "stragglers" {
  display_name          = "Asiento: stragglers are recovered again and again"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = [google_monitoring_notification_channel.on_call.id]

  conditions {
    display_name = "More than three runs in an hour had to announce again"

    condition_threshold {
      filter          = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.stragglers.name}\" AND resource.type=\"cloud_run_revision\""
      comparison      = "COMPARISON_GT"
      threshold_value = 3
      duration        = "0s"

      aggregations {
        alignment_period     = "3600s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  documentation {
    content   = "Runbook: docs/runbooks/redrive_dead_letters.md"
    mime_type = "text/markdown"
  }
}

# One line a travel day of which a webhook had not told what the provider lists. A few are fetched and forgotten; many mean
# that the webhooks of manifests do not come.
resource "google_logging_metric" "manifests_refetched" {
  name   = "asiento/manifests_refetched"
  filter = "${local.log_of.reconcile} AND jsonPayload.message=\"manifests refetched\""

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"

    labels {
      key         = "provider"
      value_type  = "STRING"
      description = "Whose manifests were fetched again."
    }
  }

  label_extractors = {
    provider = "EXTRACT(jsonPayload.provider)"
  }

  depends_on = [google_project_service.service]
}

resource "google_monitoring_alert_policy" "manifests_refetched" {
  display_name          = "Asiento: manifests are fetched again and again"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = [google_monitoring_notification_channel.on_call.id]

  conditions {
    display_name = "Manifests of more than six travel days in six hours had to be fetched again"

    condition_threshold {
      filter          = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.manifests_refetched.name}\" AND resource.type=\"cloud_run_revision\""
      comparison      = "COMPARISON_GT"
      threshold_value = 6
      duration        = "0s"

      aggregations {
        alignment_period     = "21600s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["metric.label.provider"]
      }
    }
  }

  documentation {
    content   = "The webhooks of manifests do not come, or come late; the run records of `manifests` count how many, before and after departure. Runbook: docs/runbooks/replay_a_day.md"
    mime_type = "text/markdown"
  }
}

# The provider itself says that it could not deliver. What it lists is taken; why our door did not answer is to be found out.
resource "google_logging_metric" "undelivered" {
  name   = "asiento/undelivered_taken"
  filter = "${local.log_of.reconcile} AND jsonPayload.message=\"undelivered webhooks taken\""

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"

    labels {
      key         = "provider"
      value_type  = "STRING"
      description = "Whose list of undelivered webhooks had something new."
    }
  }

  label_extractors = {
    provider = "EXTRACT(jsonPayload.provider)"
  }

  depends_on = [google_project_service.service]
}

resource "google_monitoring_alert_policy" "undelivered" {
  display_name          = "Asiento: a provider cannot deliver"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = [google_monitoring_notification_channel.on_call.id]

  conditions {
    display_name = "Runs of one provider took undelivered webhooks in more than two hours of six"

    condition_threshold {
      filter          = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.undelivered.name}\" AND resource.type=\"cloud_run_revision\""
      comparison      = "COMPARISON_GT"
      threshold_value = 2
      duration        = "0s"

      aggregations {
        alignment_period     = "21600s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["metric.label.provider"]
      }
    }
  }

  documentation {
    content   = "The events are taken from the provider's list. Find out why it got no answer: see what receive refused and how long it took. Runbook: docs/runbooks/replay_a_day.md"
    mime_type = "text/markdown"
  }
}

# A job may answer well and still have failed on one provider: its record says so, and this counts it.
resource "google_logging_metric" "reconciliation_failed" {
  name   = "asiento/reconciliations_failed"
  filter = "${local.log_of.reconcile} AND jsonPayload.message=\"reconciliation failed\""

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"

    labels {
      key         = "job"
      value_type  = "STRING"
      description = "Which job of reconcile."
    }
    labels {
      key         = "provider"
      value_type  = "STRING"
      description = "Whose data was compared; empty where the job is about all."
    }
  }

  label_extractors = {
    job      = "EXTRACT(jsonPayload.job)"
    provider = "EXTRACT(jsonPayload.provider)"
  }

  depends_on = [google_project_service.service]
}

resource "google_monitoring_alert_policy" "reconciliation_failed" {
  display_name          = "Asiento: a reconciliation keeps failing"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = [google_monitoring_notification_channel.on_call.id]

  conditions {
    display_name = "Runs of one job and provider failed in two hours in a row"

    condition_threshold {
      filter          = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.reconciliation_failed.name}\" AND resource.type=\"cloud_run_revision\""
      comparison      = "COMPARISON_GT"
      threshold_value = 1
      duration        = "0s"

      aggregations {
        alignment_period     = "7200s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["metric.label.job", "metric.label.provider"]
      }
    }
  }

  documentation {
    content   = "The run's record names the error. Runbook: docs/runbooks/wait_for_a_provider.md while the provider does not answer, docs/runbooks/rotate_a_secret.md for credentials that no longer work, docs/runbooks/roll_back.md for a defect of ours."
    mime_type = "text/markdown"
  }
}

# A month that fails its checks is absent from viz; this says so before somebody misses it.
resource "google_logging_metric" "certification_failed" {
  name   = "asiento/certifications_failed"
  filter = "${local.log_of.rebuild_bi} AND jsonPayload.message=\"month refused\""

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"

    labels {
      key         = "grain"
      value_type  = "STRING"
      description = "The month, currency and business unit that are not shown."
    }
    labels {
      key         = "check"
      value_type  = "STRING"
      description = "The first check that failed."
    }
  }

  label_extractors = {
    grain = "EXTRACT(jsonPayload.grain)"
    check = "EXTRACT(jsonPayload.check)"
  }

  depends_on = [google_project_service.service]
}

resource "google_monitoring_alert_policy" "certification_failed" {
  display_name          = "Asiento: a month is not certified"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = [google_monitoring_notification_channel.on_call.id]

  conditions {
    display_name = "A month failed its checks"

    condition_threshold {
      filter          = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.certification_failed.name}\" AND resource.type=\"cloud_run_revision\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period     = "600s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["metric.label.grain"]
      }
    }
  }

  documentation {
    content   = "The stored result names the difference. Runbook: docs/runbooks/replay_a_day.md"
    mime_type = "text/markdown"
  }
}

# A month that somebody may have reported shows other figures now: finance hears of it before a reader wonders.
resource "google_logging_metric" "month_restated" {
  name   = "asiento/months_restated"
  filter = "${local.log_of.rebuild_bi} AND jsonPayload.message=\"month restated\""

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"

    labels {
      key         = "grain"
      value_type  = "STRING"
      description = "The month, currency and business unit that were certified before with other figures."
    }
    labels {
      key         = "is_explained"
      value_type  = "STRING"
      description = "Whether statements that came since are behind all of the change."
    }
  }

  label_extractors = {
    grain        = "EXTRACT(jsonPayload.grain)"
    is_explained = "EXTRACT(jsonPayload.is_explained)"
  }

  depends_on = [google_project_service.service]
}

resource "google_monitoring_alert_policy" "month_restated" {
  display_name          = "Asiento: a certified month is restated"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = [google_monitoring_notification_channel.on_call.id]

  conditions {
    display_name = "A month was certified with other figures than before"

    condition_threshold {
      filter          = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.month_restated.name}\" AND resource.type=\"cloud_run_revision\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period     = "600s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["metric.label.grain", "metric.label.is_explained"]
      }
    }
  }

  documentation {
    content   = "The report names what changed and the statements behind it, to the cent. Runbook: docs/runbooks/explain_a_restatement.md"
    mime_type = "text/markdown"
  }
}

# What nobody foresaw, in any function: its class and place are logged, its words are not. One is enough.
resource "google_logging_metric" "unforeseen" {
  name   = "asiento/unforeseen_errors"
  filter = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=~\"^asiento-\" AND (jsonPayload.message=\"unforeseen error\" OR jsonPayload.message=\"reading failed\" OR jsonPayload.message=\"call failed\")"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"

    labels {
      key         = "error"
      value_type  = "STRING"
      description = "The class of the error."
    }
  }

  label_extractors = {
    error = "EXTRACT(jsonPayload.error)"
  }

  depends_on = [google_project_service.service]
}

resource "google_monitoring_alert_policy" "unforeseen" {
  display_name          = "Asiento: an error that nobody foresaw"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = [google_monitoring_notification_channel.on_call.id]

  conditions {
    display_name = "An error of no class, or one that a door has no answer for"

    condition_threshold {
      filter          = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.unforeseen.name}\" AND resource.type=\"cloud_run_revision\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period     = "600s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["metric.label.error"]
      }
    }
  }

  documentation {
    content   = "The log line says where. Runbook: docs/runbooks/mend_an_unforeseen_error.md"
    mime_type = "text/markdown"
  }
}

# Calls that are no deliveries, or larger or slower than any: scanners, a wrong path, or a provider whose payloads have grown.
resource "google_logging_metric" "calls_refused" {
  name   = "asiento/calls_refused"
  filter = "${local.log_of.receive} AND jsonPayload.message=\"call refused\""

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"

    labels {
      key         = "refusal"
      value_type  = "STRING"
      description = "Why the door stayed closed."
    }
  }

  label_extractors = {
    refusal = "EXTRACT(jsonPayload.refusal)"
  }

  depends_on = [google_project_service.service]
}

resource "google_monitoring_alert_policy" "calls_refused" {
  display_name          = "Asiento: calls are turned away at the door"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = [google_monitoring_notification_channel.on_call.id]

  conditions {
    display_name = "More than 50 of one reason in 10 minutes"

    condition_threshold {
      filter          = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.calls_refused.name}\" AND resource.type=\"cloud_run_revision\""
      comparison      = "COMPARISON_GT"
      threshold_value = 50
      duration        = "0s"

      aggregations {
        alignment_period     = "600s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["metric.label.refusal"]
      }
    }
  }

  documentation {
    content   = "Runbook: docs/runbooks/turned_away.md"
    mime_type = "text/markdown"
  }
}

# A day that fetching has not completed two days after its end: no month over it can be certified.
resource "google_logging_metric" "day_incomplete" {
  name   = "asiento/days_incomplete"
  filter = "${local.log_of.reconcile} AND jsonPayload.message=\"day incomplete\""

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"

    labels {
      key         = "provider"
      value_type  = "STRING"
      description = "Whose listing of the day names what is not kept."
    }
    labels {
      key         = "kind"
      value_type  = "STRING"
      description = "What kind of entity is missing."
    }
  }

  label_extractors = {
    provider = "EXTRACT(jsonPayload.provider)"
    kind     = "EXTRACT(jsonPayload.kind)"
  }

  depends_on = [google_project_service.service]
}

resource "google_monitoring_alert_policy" "day_incomplete" {
  display_name          = "Asiento: a day stays incomplete"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = [google_monitoring_notification_channel.on_call.id]

  conditions {
    display_name = "A day was looked at two days after its end and has gaps"

    condition_threshold {
      filter          = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.day_incomplete.name}\" AND resource.type=\"cloud_run_revision\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period     = "86400s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["metric.label.provider", "metric.label.kind"]
      }
    }
  }

  documentation {
    content   = "asiento completeness --gaps names what is missing. Runbook: docs/runbooks/replay_a_day.md"
    mime_type = "text/markdown"
  }
}

# What arrives is not as it usually is at this hour of the week: told once, when it begins.
resource "google_logging_metric" "anomalies" {
  name   = "asiento/anomalies"
  filter = "${local.log_of.reconcile} AND jsonPayload.message=\"anomaly\""

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"

    labels {
      key         = "provider"
      value_type  = "STRING"
      description = "Whose deliveries are not as usual."
    }
    labels {
      key         = "measure"
      value_type  = "STRING"
      description = "What of them is not."
    }
    labels {
      key         = "deviation"
      value_type  = "STRING"
      description = "In which way: silent, low or high."
    }
  }

  label_extractors = {
    provider  = "EXTRACT(jsonPayload.provider)"
    measure   = "EXTRACT(jsonPayload.measure)"
    deviation = "EXTRACT(jsonPayload.deviation)"
  }

  depends_on = [google_project_service.service]
}

resource "google_monitoring_alert_policy" "anomalies" {
  display_name          = "Asiento: what arrives is not as usual"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = [google_monitoring_notification_channel.on_call.id]

  conditions {
    display_name = "A series has left its baseline"

    condition_threshold {
      filter          = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.anomalies.name}\" AND resource.type=\"cloud_run_revision\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period     = "600s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["metric.label.provider", "metric.label.measure", "metric.label.deviation"]
      }
    }
  }

  documentation {
    content   = "asiento quality shows the series against their baselines. Runbook: docs/runbooks/judge_an_anomaly.md"
    mime_type = "text/markdown"
  }
}
