variable "project" {
  description = "Id of the Google Cloud project that holds this environment and nothing else."
  type        = string
}

variable "environment" {
  description = "Which environment this is: dev or prod."
  type        = string

  validation {
    condition     = contains(["dev", "prod"], var.environment)
    error_message = "The environment is dev or prod."
  }
}

variable "region" {
  description = "Where functions, buckets and messages live."
  type        = string
}

variable "firestore_location" {
  description = "Where the ledger lives. It cannot be changed afterwards."
  type        = string
}

variable "bq_location" {
  description = "Where the BigQuery datasets live: the region of the buckets, or one that holds it, because sealed segments are loaded from theirs. It cannot be changed afterwards."
  type        = string
}

variable "provider_names" {
  description = "The providers that this environment listens to, by the names of their folders in shared/providers."
  type        = set(string)

  validation {
    condition     = alltrue([for name in var.provider_names : can(regex("^[a-z][a-z0-9]*$", name))])
    error_message = "A provider is named as its folder: lower-case letters and digits."
  }
}

variable "api_urls" {
  description = "Base address of each provider's API that reconcile asks, by provider."
  type        = map(string)

  validation {
    condition     = length(setsubtract(keys(var.api_urls), var.provider_names)) == 0
    error_message = "An address is given for a provider that this environment does not listen to."
  }
}

variable "code_version" {
  description = "The commit that is deployed; kept with every attempt and certificate."
  type        = string
}

variable "bundle_digests" {
  description = "SHA-256 of each function's bundle, as scripts/bundle.py writes it to digests.auto.tfvars.json."
  type        = map(string)

  validation {
    condition     = toset(keys(var.bundle_digests)) == toset(["derive", "rebuild_bi", "receive", "reconcile"])
    error_message = "Each of the four functions needs the digest of its bundle: run make bundle."
  }
}

variable "bundle_dir" {
  description = "The folder in which make bundle left the zips."
  type        = string
  default     = "../../dist/bundles"
}

variable "raw_retention_days" {
  description = "How long no raw object can be deleted. Ten years is what art. 328 of Argentina's civil and commercial code asks of a merchant's records."
  type        = number
}

variable "raw_retention_locked" {
  description = "Whether the retention policy is locked. Locking cannot be undone by anybody, and the bucket then outlives the project's wishes."
  type        = bool
}

variable "receive_instances_min" {
  description = "Receiving instances that are kept warm. One keeps the cold start out of a provider's time-out."
  type        = number
}

variable "receive_instances_max" {
  description = "The most receiving instances: the ceiling of what a flood of requests can cost."
  type        = number
}

variable "derive_instances_max" {
  description = "The most deriving instances: the ceiling of the pressure on the ledger."
  type        = number
}

variable "silence_s" {
  description = "After how many seconds without an accepted webhook a provider counts as silent, by provider. At most 84,600 (23 h 30 min)."
  type        = map(number)

  validation {
    condition     = alltrue([for seconds in values(var.silence_s) : seconds <= 84600 && seconds % 60 == 0])
    error_message = "Cloud Monitoring looks back 23 h 30 min at most, in whole minutes."
  }

  validation {
    condition     = toset(keys(var.silence_s)) == var.provider_names
    error_message = "Each provider needs its time of silence: no provider is left out of the alarm."
  }
}

variable "secret_rotation_days" {
  description = "How often each secret is due for rotation."
  type        = number
}

variable "secret_rotation_starts_at" {
  description = "When the first rotation is due, RFC 3339 in UTC. Secret Manager moves it on by itself."
  type        = string
}

variable "engineers_group" {
  description = "Mail address of the group of engineers on call: reads every dataset."
  type        = string
}

variable "finance_group" {
  description = "Mail address of the finance group: reads what is certified, and the certificates."
  type        = string
}

variable "analysts_group" {
  description = "Mail address of the analysts' group: reads what is certified, writes its own views."
  type        = string
}

variable "alerts_email" {
  description = "Mail address that is alarmed."
  type        = string
}

variable "billing_account" {
  description = "Id of the billing account that the budget watches."
  type        = string
}

variable "budget_units" {
  description = "What a month may cost, in whole units of budget_currency."
  type        = number
}

variable "budget_currency" {
  description = "ISO 4217 currency of the billing account."
  type        = string
}
