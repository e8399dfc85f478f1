# Production. Set raw_retention_locked to true only after the first month has been certified: it cannot be undone.
project     = "asiento-prod"
environment = "prod"

region             = "southamerica-east1"
firestore_location = "southamerica-east1"
bq_location        = "southamerica-east1"

provider_names = ["betterez", "mercadopago", "stripe"]

api_urls = {
  betterez    = "https://api.betterez.com"
  mercadopago = "https://api.mercadopago.com"
  stripe      = "https://api.stripe.com"
}

# A ticketing platform that says nothing for two hours of a day is broken; payments can rest longer.
silence_s = {
  betterez    = 7200
  mercadopago = 21600
  stripe      = 43200
}

raw_retention_days   = 3653
raw_retention_locked = false

receive_instances_min = 1
receive_instances_max = 20
derive_instances_max  = 20

secret_rotation_days      = 180
secret_rotation_starts_at = "2027-01-15T12:00:00Z"

engineers_group = "asiento-engineers@example.com"
finance_group   = "asiento-finance@example.com"
analysts_group  = "asiento-analysts@example.com"
alerts_email    = "asiento-on-call@example.com"

billing_account = "000000-000000-000000"
budget_units    = 300
budget_currency = "USD"
