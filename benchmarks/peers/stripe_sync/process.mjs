// Processes signed Stripe events with the sync engine, so many at a time, and tells a sample on its last line.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const [modules, databaseUrl, file, key, atOnce] = process.argv.slice(2)
const require = createRequire(join(modules, 'package.json'))
const { StripeSync, runMigrations } = require('@supabase/stripe-sync-engine')

const failures = []
const logger = { info() {}, debug() {}, warn() {}, error(error) { failures.push(error) } }
await runMigrations({ databaseUrl, schema: 'stripe', logger })
if (failures.length) throw failures[0]

const sync = new StripeSync({
  poolConfig: { connectionString: databaseUrl, max: Number(atOnce) },
  stripeSecretKey: 'sk_test_none',
  stripeWebhookSecret: key,
})
const events = readFileSync(file, 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line))

let next = 0
async function work() {
  while (next < events.length) {
    const event = events[next++]
    await sync.processWebhook(Buffer.from(event.body), event.signature)
  }
}
const started = process.hrtime.bigint()
await Promise.all(Array.from({ length: Number(atOnce) }, work))
const elapsed = process.hrtime.bigint() - started

const kept = await sync.postgresClient.query('select count(*)::int as kept from stripe.charges')
if (kept.rows[0].kept !== events.length) throw new Error(`kept ${kept.rows[0].kept} of ${events.length} charges`)
const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))
const { version } = require(join(modules, 'node_modules/@supabase/stripe-sync-engine/package.json'))
const sample = { items: events.length, elapsed_ns: Number(elapsed), peak_kib: Number(peak[1]), versions: version }
console.log(`\n${JSON.stringify(sample)}`)
process.exit(0)
