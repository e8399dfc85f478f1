# Development: small ceilings, a short retention that is not locked, so that the environment can be taken away again.
project     = "asiento-dev"
environment = "dev"

region             = "southamerica-east1"
firestore_location = "southamerica-east1"
bq_location        = "southamerica-east1"

provider_names = ["betterez", "mercadopago", "stripe"]

api_urls = {
  betterez    = "https://api.betterez.com"
  mercadopago = "https://api.mercadopago.com"
  stripe      = "https://api.stripe.com"
}

silence_s = {
  betterez    = 84600
  mercadopago = 84600
  stripe      = 84600
}

raw_retention_days   = 1
raw_retention_locked = false

receive_instances_min = 0
receive_instances_max = 2
derive_instances_max  = 2

secret_rotation_days      = 365
secret_rotation_starts_at = "2027-01-15T12:00:00Z"

engineers_group = "asiento-engineers@example.com"
finance_group   = "asiento-finance@example.com"
analysts_group  = "asiento-analysts@example.com"
alerts_email    = "asiento-dev-on-call@example.com"

billing_account = "000000-000000-000000"
budget_units    = 50
budget_currency = "USD"
