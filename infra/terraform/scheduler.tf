# The clock: what runs when nobody asks. Every job is idempotent and takes up where it left off, so a retry is always safe.
#
# The jobs of reconcile help each other in the order of shared/pipeline/reconcile.py, and so start in that order within the
# hour; the rebuild comes last and sees what they found. `days` is how far back a job looks, today included: the frequent
# ones see today and yesterday, the nightly pass goes over two weeks and finds what came late.
locals {
  jobs = {
    inbox = {
      function = "reconcile"
      schedule = "2 * * * *"
      body     = { job = "inbox", days = 1 }
    }
    stragglers = {
      function = "reconcile"
      schedule = "*/5 * * * *"
      body     = { job = "stragglers", days = 2 }
    }
    undeliverables = {
      function = "reconcile"
      schedule = "4 * * * *"
      body     = { job = "undeliverables", days = 2 }
    }
    awaited = {
      function = "reconcile"
      schedule = "6 * * * *"
      body     = { job = "awaited", days = 2 }
    }
    transactions = {
      function = "reconcile"
      schedule = "11 * * * *"
      body     = { job = "transactions", days = 2 }
    }
    manifests = {
      function = "reconcile"
      schedule = "16 * * * *"
      body     = { job = "manifests", days = 2 }
    }
    control-totals = {
      function = "reconcile"
      schedule = "21 */6 * * *"
      body     = { job = "control_totals", days = 2 }
    }
    completeness = {
      function = "reconcile"
      schedule = "31 4 * * *"
      body     = { job = "completeness", days = 40 }
    }
    fetches = {
      function = "reconcile"
      schedule = "3-59/5 * * * *"
      body     = { job = "fetches", days = 2 }
    }
    settlements = {
      function = "reconcile"
      schedule = "26 * * * *"
      body     = { job = "settlements", days = 2 }
    }
    matching = {
      function = "reconcile"
      schedule = "47 2 * * *"
      body     = { job = "matching", days = 14 }
    }
    quality = {
      function = "reconcile"
      schedule = "8 * * * *"
      body     = { job = "quality", days = 1 }
    }
    exceptions = {
      function = "reconcile"
      schedule = "36 * * * *"
      body     = { job = "exceptions", days = 2 }
    }
    # An hour is closed a quarter of an hour after its end. Sealing is a verb of its own behind the door of the jobs.
    seal = {
      function = "reconcile"
      schedule = "19 * * * *"
      body     = { job = "seal", days = 1 }
    }
    nightly = {
      function = "reconcile"
      schedule = "17 3 * * *"
      body     = { job = "all", days = 14 }
    }
    # Once a day, after the nightly pass: viz shows closed months alone, and a rebuild reads all there is (docs/cost.md).
    rebuild-bi = {
      function = "rebuild_bi"
      schedule = "41 5 * * *"
      body     = {}
    }
  }
}

resource "google_cloud_scheduler_job" "job" {
  for_each = local.jobs

  name             = "asiento-${each.key}"
  region           = var.region
  schedule         = each.value.schedule
  time_zone        = "America/Argentina/Buenos_Aires"
  attempt_deadline = "1800s"

  http_target {
    uri         = google_cloudfunctions2_function.function[each.value.function].service_config[0].uri
    http_method = "POST"
    headers     = { "Content-Type" = "application/json" }
    body        = base64encode(jsonencode(each.value.body))

    oidc_token {
      service_account_email = google_service_account.clock_caller.email
      audience              = google_cloudfunctions2_function.function[each.value.function].service_config[0].uri
    }
  }

  retry_config {
    retry_count          = 3
    min_backoff_duration = "30s"
    max_backoff_duration = "300s"
    max_doublings        = 3
  }

  depends_on = [google_project_service.service]
}

# Failed is failed, whichever job it is: a build that could not certify answers with an error too.
resource "google_logging_metric" "jobs_failed" {
  name   = "asiento/jobs_failed"
  filter = "resource.type=\"cloud_scheduler_job\" AND severity>=ERROR AND resource.labels.job_id=~\"^asiento-\""

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"

    labels {
      key         = "job"
      value_type  = "STRING"
      description = "Which job failed."
    }
  }

  label_extractors = {
    job = "EXTRACT(resource.labels.job_id)"
  }

  depends_on = [google_project_service.service]
}

resource "google_monitoring_alert_policy" "jobs_failed" {
  display_name          = "Asiento: a scheduled job failed"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = [google_monitoring_notification_channel.on_call.id]

  conditions {
    display_name = "An attempt of a job failed"

    condition_threshold {
      filter          = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.jobs_failed.name}\" AND resource.type=\"cloud_scheduler_job\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period     = "600s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["metric.label.job"]
      }
    }
  }

  documentation {
    content   = "Runbook: docs/runbooks/roll_back.md"
    mime_type = "text/markdown"
  }
}
