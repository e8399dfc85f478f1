output "receive_url" {
  description = "The public address: a provider posts to this and its name, as in <receive_url>/betterez."
  value       = google_cloudfunctions2_function.function["receive"].service_config[0].uri
}

output "providers" {
  description = "The providers that are listened to."
  value       = sort(var.provider_names)
}

output "private_urls" {
  description = "The addresses that must refuse whoever has no identity."
  value = [
    for name in ["derive", "reconcile", "rebuild_bi"] :
    google_cloudfunctions2_function.function[name].service_config[0].uri
  ]
}

output "raw_bucket" {
  description = "Where the raw objects are."
  value       = google_storage_bucket.raw.name
}

output "bundles" {
  description = "What runs: the object that each function was built from."
  value       = { for name, object in google_storage_bucket_object.bundle : name => object.name }
}
