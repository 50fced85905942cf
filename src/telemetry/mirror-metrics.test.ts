import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Registry } from 'prom-client'
import { type MirroredRelayMetrics, MirrorMetrics, type MirrorMetricsSnapshot } from './mirror-metrics.ts'

const relay = (parts: Partial<MirroredRelayMetrics> = {}): MirroredRelayMetrics => ({
  relay: 'wss://a.com/',
  connection: 'connected',
  health: 'healthy',
  failures: 0,
  connected: 2,
  failedToConnect: 1,
  accepted: 7,
  ...parts,
})

async function scrape(metrics: MirrorMetrics, registry: Registry, snapshot: Partial<MirrorMetricsSnapshot>) {
  metrics.set({ relays: [], profiles: [], held: undefined, ...snapshot })
  return registry.metrics()
}

test("P-101 P-102 the seed's metrics keep their names and values, and counters tell what is so, not what was added", async () => {
  const registry = new Registry()
  const metrics = new MirrorMetrics(registry)
  const relays = [relay(), relay({ relay: 'wss://b.com/', connection: 'syncing', accepted: 5 })]
  for (let i = 0; i < 2; i++) {
    const text = await scrape(metrics, registry, { relays })
    assert.match(text, /^ngit_sync_events_synced_total 12$/m)
    assert.match(text, /^ngit_sync_relay_connected\{relay="wss:\/\/a\.com\/"\} 3$/m)
    assert.match(text, /^ngit_sync_relay_connected\{relay="wss:\/\/b\.com\/"\} 2$/m)
    assert.match(
      text,
      /^ngit_sync_connection_attempts_total\{relay="wss:\/\/a\.com\/",result="success"\} 2$/m,
    )
    assert.match(text, /^ngit_sync_relays_tracked_total 2$/m)
    assert.match(text, /^ngit_sync_relays_connected_total 2$/m)
    for (const line of text.split('\n'))
      assert.match(line, /^(#.*|[a-z_]+(\{.*\})? -?\d+(\.\d+)?)?$/, 'every value is a number')
  }
})

test('P-103 when the source stops the connected gauge is 0 again and the relay is still tracked; removed, it is gone', async () => {
  const registry = new Registry()
  const metrics = new MirrorMetrics(registry)
  await scrape(metrics, registry, { relays: [relay()] })
  const down = await scrape(metrics, registry, {
    relays: [relay({ connection: 'disconnected', health: 'degraded' })],
  })
  assert.match(down, /^ngit_sync_relays_connected_total 0$/m)
  assert.match(down, /^ngit_sync_relays_tracked_total 1$/m)
  assert.match(down, /^ngit_sync_relay_connected\{relay="wss:\/\/a\.com\/"\} 0$/m)
  assert.ok(!(await scrape(metrics, registry, {})).includes('a.com'))
})

test('P-104 a failing relay shows its failed attempts and a status that is not healthy', async () => {
  const registry = new Registry()
  const metrics = new MirrorMetrics(registry)
  const relays = [relay({ connection: 'disconnected', health: 'dead', failures: 9, failedToConnect: 9 })]
  const text = await scrape(metrics, registry, { relays })
  assert.match(text, /attempts_total\{relay="wss:\/\/a\.com\/",result="failure"\} 9$/m)
  assert.match(text, /^ngit_sync_relay_status\{relay="wss:\/\/a\.com\/"\} 4$/m)
  assert.match(text, /^ngit_sync_relays_dead_total 1$/m)
  assert.match(text, /^ngit_sync_relay_failures\{relay="wss:\/\/a\.com\/"\} 9$/m)
})

test('what is left out and what is held can be seen', async () => {
  const registry = new Registry()
  const metrics = new MirrorMetrics(registry)
  const profiles = [{ profile: 'git', subjects: 3, chunks: 4, relaysLeftOut: 5, leftOut: { peers: 6 } }]
  const text = await scrape(metrics, registry, {
    profiles,
    held: { events: 1, cold: 2, refused: 3, expired: 4 },
  })
  assert.match(text, /^syncline_proactive_left_out\{profile="git",reason="relays"\} 5$/m)
  assert.match(text, /^syncline_proactive_left_out\{profile="git",reason="peers"\} 6$/m)
  assert.match(text, /^syncline_held_events\{state="cold"\} 2$/m)
  assert.match(text, /^syncline_held_ended_total\{result="expired"\} 4$/m)
})
