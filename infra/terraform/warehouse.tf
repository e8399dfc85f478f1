# The warehouse: six datasets, each with its whole access list. The list is authoritative: what is not written here, the
# project's default readers and editors included, has no access. Nothing here expires, because everything but the
# certificates can be rebuilt, and certificates are for ever.
#
# The API answers READER and WRITER where dataViewer and dataEditor are written; they are written as they are answered, so
# that a plan without changes is empty.

# Deliveries and ledger as they are, loaded anew by every build.
resource "google_bigquery_dataset" "staging" {
  dataset_id                 = "staging"
  location                   = var.bq_location
  description                = "Deliveries and ledger as they are. Loaded anew by every build."
  delete_contents_on_destroy = false
  max_time_travel_hours      = "48"

  access {
    role          = "OWNER"
    special_group = "projectOwners"
  }
  access {
    role          = "WRITER"
    user_by_email = google_service_account.rebuild_bi.email
  }
  access {
    role           = "READER"
    group_by_email = var.engineers_group
  }

  depends_on = [google_project_service.service]
}

# The same figures by SQL straight over the bodies, and what stands in a month's way. Bodies hold names of passengers.
resource "google_bigquery_dataset" "control" {
  dataset_id                 = "control"
  location                   = var.bq_location
  description                = "The second derivation, straight over the bodies. Rows of the last build; nothing published reads it."
  delete_contents_on_destroy = false
  max_time_travel_hours      = "48"

  access {
    role          = "OWNER"
    special_group = "projectOwners"
  }
  access {
    role          = "WRITER"
    user_by_email = google_service_account.rebuild_bi.email
  }
  access {
    role           = "READER"
    group_by_email = var.engineers_group
  }

  depends_on = [google_project_service.service]
}

# All business logic; rows carry the build that wrote them.
resource "google_bigquery_dataset" "mart" {
  dataset_id                 = "mart"
  location                   = var.bq_location
  description                = "All business logic. Rows carry the build that wrote them; only viz reads them."
  delete_contents_on_destroy = false
  max_time_travel_hours      = "168"

  access {
    role          = "OWNER"
    special_group = "projectOwners"
  }
  access {
    role          = "WRITER"
    user_by_email = google_service_account.rebuild_bi.email
  }
  access {
    role          = "READER"
    user_by_email = google_service_account.audit.email
  }
  access {
    role           = "READER"
    group_by_email = var.engineers_group
  }

  # The views of viz read mart on behalf of people who may not.
  access {
    dataset {
      target_types = ["VIEWS"]
      dataset {
        project_id = var.project
        dataset_id = google_bigquery_dataset.viz.dataset_id
      }
    }
  }

  depends_on = [google_project_service.service]
}

# What people open: certified months only.
resource "google_bigquery_dataset" "viz" {
  dataset_id                 = "viz"
  location                   = var.bq_location
  description                = "Certified months only, shaped for dashboards."
  delete_contents_on_destroy = false
  max_time_travel_hours      = "168"

  access {
    role          = "OWNER"
    special_group = "projectOwners"
  }
  access {
    role          = "WRITER"
    user_by_email = google_service_account.rebuild_bi.email
  }
  access {
    role          = "READER"
    user_by_email = google_service_account.audit.email
  }
  access {
    role           = "READER"
    group_by_email = var.engineers_group
  }
  access {
    role           = "READER"
    group_by_email = var.finance_group
  }
  access {
    role           = "READER"
    group_by_email = var.analysts_group
  }

  depends_on = [google_project_service.service]
}

# Free views of the analysts. No function has access: production never depends on them.
resource "google_bigquery_dataset" "analytics" {
  dataset_id                 = "analytics"
  location                   = var.bq_location
  description                = "Free views. Production never depends on them."
  delete_contents_on_destroy = false
  max_time_travel_hours      = "168"

  access {
    role          = "OWNER"
    special_group = "projectOwners"
  }
  access {
    role           = "WRITER"
    group_by_email = var.analysts_group
  }
  access {
    role           = "READER"
    group_by_email = var.engineers_group
  }
  access {
    role           = "READER"
    group_by_email = var.finance_group
  }

  depends_on = [google_project_service.service]
}

# Certificates and the table of published builds. Append-only by the code: BigQuery has no role that may insert and not change,
# so a test of the code holds it, and the seals that a certificate names would tell.
resource "google_bigquery_dataset" "certificates" {
  dataset_id                 = "certificates"
  location                   = var.bq_location
  description                = "Certificates, and which build is published for which month. Appended to, never changed."
  delete_contents_on_destroy = false
  max_time_travel_hours      = "168"

  access {
    role          = "OWNER"
    special_group = "projectOwners"
  }
  access {
    role          = "WRITER"
    user_by_email = google_service_account.rebuild_bi.email
  }
  access {
    role          = "READER"
    user_by_email = google_service_account.audit.email
  }
  access {
    role           = "READER"
    group_by_email = var.engineers_group
  }
  access {
    role           = "READER"
    group_by_email = var.finance_group
  }
  access {
    dataset {
      target_types = ["VIEWS"]
      dataset {
        project_id = var.project
        dataset_id = google_bigquery_dataset.viz.dataset_id
      }
    }
  }

  lifecycle {
    prevent_destroy = true
  }

  depends_on = [google_project_service.service]
}

# Reading a dataset takes a right on it; running a query takes this one, which reads nothing by itself.
resource "google_project_iam_member" "jobs_rebuild_bi" {
  project = var.project
  role    = "roles/bigquery.jobUser"
  member  = google_service_account.rebuild_bi.member
}

resource "google_project_iam_member" "jobs_audit" {
  project = var.project
  role    = "roles/bigquery.jobUser"
  member  = google_service_account.audit.member
}

resource "google_project_iam_member" "jobs_engineers" {
  project = var.project
  role    = "roles/bigquery.jobUser"
  member  = "group:${var.engineers_group}"
}

resource "google_project_iam_member" "jobs_finance" {
  project = var.project
  role    = "roles/bigquery.jobUser"
  member  = "group:${var.finance_group}"
}

resource "google_project_iam_member" "jobs_analysts" {
  project = var.project
  role    = "roles/bigquery.jobUser"
  member  = "group:${var.analysts_group}"
}
