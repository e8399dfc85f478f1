# The provider's version is pinned exactly: schema/google.json is extracted from it, and the tests hold every resource here
# against that. Upgrade both together (scripts/extract_provider_schema.py).
terraform {
  required_version = ">= 1.9"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "6.50.0"
    }
  }

  # The bucket and prefix come from -backend-config: see docs/runbooks/deploy_from_nothing.md.
  backend "gcs" {}
}

provider "google" {
  project               = var.project
  region                = var.region
  user_project_override = true
  billing_project       = var.project
  default_labels        = local.labels
}
