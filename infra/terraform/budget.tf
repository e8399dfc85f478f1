# A budget does not stop anything: it tells. What stops a flood is the ceiling of instances in functions.tf.
resource "google_billing_budget" "month" {
  billing_account = var.billing_account
  display_name    = "Asiento ${var.environment}"

  budget_filter {
    projects        = ["projects/${data.google_project.this.number}"]
    calendar_period = "MONTH"
  }

  amount {
    specified_amount {
      currency_code = var.budget_currency
      units         = tostring(var.budget_units)
    }
  }

  threshold_rules {
    threshold_percent = 0.5
  }

  threshold_rules {
    threshold_percent = 0.9
  }

  threshold_rules {
    threshold_percent = 1.0
    spend_basis       = "FORECASTED_SPEND"
  }

  all_updates_rule {
    monitoring_notification_channels = [google_monitoring_notification_channel.on_call.id]
    disable_default_iam_recipients   = false
  }

  depends_on = [google_project_service.service]
}
