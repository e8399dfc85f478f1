# One page for the engineer on call, in the order of the flow: in, waiting, given up, needing attention, out.
locals {
  charts = [
    {
      title  = "Accepted deliveries by provider"
      filter = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.accepted.name}\" resource.type=\"cloud_run_revision\""
      align  = "ALIGN_RATE"
      by     = ["metric.label.provider"]
    },
    {
      title  = "Rejected deliveries by refusal"
      filter = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.rejected.name}\" resource.type=\"cloud_run_revision\""
      align  = "ALIGN_RATE"
      by     = ["metric.label.refusal"]
    },
    {
      title  = "Age of the oldest that waits, by stream (s)"
      filter = "metric.type=\"pubsub.googleapis.com/subscription/oldest_unacked_message_age\" resource.type=\"pubsub_subscription\" resource.label.subscription_id=starts_with(\"derive-\")"
      align  = "ALIGN_MAX"
      by     = ["resource.label.subscription_id"]
    },
    {
      title  = "Dead letters"
      filter = "metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\" resource.type=\"pubsub_subscription\" resource.label.subscription_id=\"${google_pubsub_subscription.dead_letters.name}\""
      align  = "ALIGN_MAX"
      by     = ["resource.label.subscription_id"]
    },
    {
      title  = "Deliveries needing attention by outcome"
      filter = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.attention.name}\" resource.type=\"cloud_run_revision\""
      align  = "ALIGN_RATE"
      by     = ["metric.label.outcome"]
    },
    {
      title  = "Runs that recovered stragglers"
      filter = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.stragglers.name}\" resource.type=\"cloud_run_revision\""
      align  = "ALIGN_DELTA"
      by     = []
    },
    {
      title  = "Failed jobs"
      filter = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.jobs_failed.name}\" resource.type=\"cloud_scheduler_job\""
      align  = "ALIGN_DELTA"
      by     = ["metric.label.job"]
    },
    {
      title  = "Months that failed certification"
      filter = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.certification_failed.name}\" resource.type=\"cloud_run_revision\""
      align  = "ALIGN_DELTA"
      by     = ["metric.label.grain"]
    },
    {
      title  = "Instances by function"
      filter = "metric.type=\"run.googleapis.com/container/instance_count\" resource.type=\"cloud_run_revision\" resource.label.service_name=starts_with(\"asiento-\")"
      align  = "ALIGN_MAX"
      by     = ["resource.label.service_name"]
    },
  ]
}

resource "google_monitoring_dashboard" "asiento" {
  dashboard_json = jsonencode({
    displayName = "Asiento ${var.environment}"
    mosaicLayout = {
      columns = 12
      tiles = [
        for position, chart in local.charts : {
          xPos   = (position % 3) * 4
          yPos   = floor(position / 3) * 4
          width  = 4
          height = 4
          widget = {
            title = chart.title
            xyChart = {
              dataSets = [{
                plotType = "LINE"
                timeSeriesQuery = {
                  timeSeriesFilter = {
                    filter = chart.filter
                    aggregation = {
                      alignmentPeriod    = "300s"
                      perSeriesAligner   = chart.align
                      crossSeriesReducer = chart.align == "ALIGN_MAX" ? "REDUCE_MAX" : "REDUCE_SUM"
                      groupByFields      = chart.by
                    }
                  }
                }
              }]
            }
          }
        }
      ]
    }
  })

  depends_on = [google_project_service.service]
}
