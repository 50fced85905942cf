import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { asParsed, craft, hexId } from '../../../../test/acceptance/event-arbitrary.ts'
import { newAuthor } from '../../../../test/peers/author.ts'
import { type RealRelay, realRelay } from '../../../../test/peers/real-relay.ts'
import { type Frame, TestClient } from '../../../../test/peers/test-client.ts'
import { defaultLimits, type Limits } from '../limits.ts'

type Limitation = Readonly<Record<string, number | boolean>>

interface World {
  readonly peer: RealRelay
  readonly client: TestClient
  readonly max: number
}

/** Odd numbers, so that none of them is met by accident. */
const limits: Partial<Limits> = {
  maxMessageBytes: 50_001,
  maxSubscriptions: 5,
  maxFilters: 3,
  maxLimit: 17,
  defaultLimit: 11,
  maxSubscriptionId: 31,
  maxTags: 13,
  maxContentLength: 1_501,
  maxFutureSeconds: 701,
  maxPastSeconds: 5_003,
  maxEventBytes: 9_001,
  maxJsonDepth: 9,
  maxTagValueBytes: 301,
  maxFilterValues: 21,
  maxTagValues: 7,
  maxFilterPairs: 101,
  maxSubscriptionValues: 67,
  maxAuthAge: 307,
  maxConnectionsPerAddress: 3,
  badMessagesPerMinute: 19,
  maxNegSessionsPerConnection: 3,
  maxNegRecords: 23,
  maxSyncPagesPerConnection: 3,
  maxSubscriptionValuesTotal: 113,
  maxConnections: 4,
  maxNegSessions: 5,
  maxNegRecordsInMemory: 31,
}

const now = () => Math.floor(Date.now() / 1_000)
const author = newAuthor()
const emptySet = '6100000200'
const accepted = (frame: Frame) => frame[0] === 'OK' && frame[2] === true
const answered = (frame: Frame) => ['EOSE', 'EVENT', 'COUNT', 'NEG-MSG'].includes(frame[0])
const publish = async ({ client }: World, parts: Parameters<typeof author.write>[0]) =>
  accepted(await client.ask(['EVENT', author.write(parts)]))
const counted = async ({ client }: World, ...filters: object[]) =>
  answered(await client.ask(['COUNT', 'a', ...filters]))
const list = (length: number) => Array.from({ length }, (_, at) => hexId(at))
/** A text of exactly so many bytes as JSON, by its content. */
const sized = (bytes: number) => {
  const spare = bytes - JSON.stringify(author.write({ tags: [['a']] })).length
  const [escaped, plain] = [Math.floor(spare / 6), spare % 6]
  return author.write({ tags: [['a']], content: '\u0001'.repeat(escaped) + 'x'.repeat(plain) })
}

/** For each advertised number: does the relay take exactly so much? */
const enforced: Readonly<Record<string, (world: World, amount: number) => Promise<boolean>>> = {
  max_message_length: async ({ client }, bytes) => {
    const frame = '["REQ","a",{"ids":[]}]'
    return answered(await client.ask(frame + ' '.repeat(bytes - frame.length)))
  },
  max_subscriptions: async ({ client }, amount) => {
    let last: Frame = ['']
    for (let at = 0; at < amount; at++) last = (await client.request(String(at), { ids: [] })).end
    for (let at = 0; at < amount; at++) client.send(['CLOSE', String(at)])
    return answered(last)
  },
  max_filters: (world, amount) => counted(world, ...Array<object>(amount).fill({ ids: [] })),
  max_limit: async ({ client }, amount) =>
    (await client.request('a', { limit: amount })).events.length === amount,
  default_limit: async ({ client, max }, amount) =>
    amount <= max && (await client.request('a', {})).events.length === amount,
  max_subid_length: async ({ client }, length) =>
    answered(await client.ask(['REQ', 'x'.repeat(length), { ids: [] }])),
  max_event_tags: (world, amount) => publish(world, { tags: Array.from({ length: amount }, () => ['a']) }),
  max_content_length: (world, length) => publish(world, { content: '🫶'.repeat(length) }),
  created_at_upper_limit: (world, ahead) =>
    // A second may pass on the way, which only brings the event nearer.
    publish(world, { created_at: now() + ahead + (ahead > world.max ? 5 : 0) }),
  created_at_lower_limit: (world, behind) =>
    publish(world, { created_at: now() - behind + (behind > world.max ? -5 : 5) }),
  max_event_bytes: async ({ client }, bytes) => accepted(await client.ask(['EVENT', sized(bytes)])),
  max_json_depth: async ({ client }, depth) => {
    // Too deep is no sense at all; deep enough is a filter that is none.
    const [verb] = await client.ask(`["REQ","a",${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}]`)
    return verb === 'CLOSED'
  },
  max_tag_value_bytes: (world, bytes) => publish(world, { tags: [['a', `ä${'x'.repeat(bytes - 2)}`]] }),
  max_filter_values: (world, amount) => counted(world, { ids: list(amount) }),
  max_filter_tag_values: (world, amount) => counted(world, { '#t': list(amount) }),
  max_filter_pairs: (world, amount) =>
    // 101 is a prime: one more than the largest product below it, and than itself.
    counted(world, {
      authors: list(17),
      kinds: Array.from({ length: amount > world.max ? 6 : 5 }, (_, at) => at),
    }),
  max_subscription_values: async ({ client }, amount) => {
    const sizes = [20, 20, 20, amount - 60]
    let last: Frame = ['']
    for (const [at, size] of sizes.entries())
      last = (await client.request(String(at), { ids: list(size) })).end
    for (const at of sizes.keys()) client.send(['CLOSE', String(at)])
    return answered(last)
  },
  max_auth_age: async ({ client, peer, max }, age) => {
    client.send(['REQ', 'wraps', { kinds: [1059] }])
    const [, challenge] = (await client.until('CLOSED'))[0]!
    const at = now() + age + (age > max ? 5 : 0)
    const event = author.authenticate(peer.url, String(challenge), { created_at: at })
    return accepted(await client.ask(['AUTH', event]))
  },
  max_connections_per_address: async ({ peer }, amount) => {
    // One is open already.
    const clients = await Promise.allSettled(
      Array.from({ length: amount - 1 }, () => TestClient.connect(peer.url)),
    )
    for (const client of clients) if (client.status === 'fulfilled') client.value[Symbol.dispose]()
    return clients.every(({ status }) => status === 'fulfilled')
  },
  max_subscription_values_total: async ({ client, peer }, amount) => {
    using other = await TestClient.connect(peer.url)
    const hold = async (by: TestClient, id: string, size: number) =>
      answered((await by.request(id, { ids: list(size) })).end)
    for (const id of ['0', '1', '2']) assert.ok(await hold(client, id, 20))
    for (const id of ['0', '1']) assert.ok(await hold(other, id, 20))
    return await hold(other, '2', amount - 100)
  },
  max_connections: async ({ peer }, amount) => {
    // Of addresses of their own, as one may not have so many.
    const connect = (at: number) =>
      TestClient.connect(peer.url, { headers: { 'X-Address': `192.0.2.${at}` } }).catch(() => undefined)
    const clients = await Promise.all(Array.from({ length: amount - 1 }, (_, at) => connect(at)))
    for (const client of clients) client?.[Symbol.dispose]()
    return clients.every((client) => client !== undefined)
  },
  bad_messages_per_minute: async ({ client }, amount) => {
    for (let at = 0; at < amount; at++) client.send('nonsense')
    for (let at = 0; at < amount; at++) await client.next()
    client.send(['COUNT', 'still here', { ids: [] }])
    return client.next().then(answered, () => false)
  },
  max_neg_sessions: async ({ client }, amount) => {
    let last: Frame = ['']
    for (let at = 0; at < amount; at++)
      last = await client.ask(['NEG-OPEN', String(at), { until: 1_000 }, emptySet])
    return answered(last)
  },
  max_neg_sessions_total: async ({ client, peer }, amount) => {
    using other = await TestClient.connect(peer.url)
    let last: Frame = ['']
    for (let at = 0; at < amount; at++) {
      const by = at < 3 ? client : other
      last = await by.ask(['NEG-OPEN', String(at), { until: 1_000 }, emptySet])
    }
    return answered(last)
  },
  max_neg_records_in_memory: async ({ client }, amount) => {
    // By kind, which no maintained index answers.
    const open = (id: string, records: number) =>
      client.ask(['NEG-OPEN', id, { kinds: [1], until: 1_000 + records - 1 }, emptySet])
    assert.ok(answered(await open('first', 20)))
    return answered(await open('second', amount - 20))
  },
  max_sync_pages: async ({ client }, amount) => {
    const ids = Array.from({ length: amount }, (_, at) => String(at))
    client.sendTogether(ids.map((id) => ['SYNC-PAGE', id, {}]))
    const answers: Frame[] = []
    for (const _ of ids) answers.push(await client.next())
    assert.deepEqual(answers.map(([, id]) => id).sort(), ids.sort(), 'each has one answer')
    return !answers.some(([, , reason]) => String(reason).startsWith('rate-limited: '))
  },
  max_neg_records: async ({ client }, amount) => {
    // 40 stored events, one a second.
    const filter = { until: 1_000 + amount - 1 }
    return answered(await client.ask(['NEG-OPEN', 'n', filter, emptySet]))
  },
}

/** Rates, which are tested on the limiter with a clock that stands still, and what is no number. */
const elsewhere = [
  'events_per_second',
  'events_per_second_per_address',
  'events_per_second_total',
  'requests_per_second',
  'requests_per_second_per_address',
  'burst_seconds',
  'neg_idle_seconds',
  'min_pow_difficulty',
  'auth_required',
  'payment_required',
  'restricted_writes',
]

async function advertised({ url }: RealRelay): Promise<Limitation> {
  const response = await fetch(url.replace('ws:', 'http:'), { headers: { Accept: 'application/nostr+json' } })
  return ((await response.json()) as { limitation: Limitation }).limitation
}

describe('E-150 N9 limits', { timeout: 60_000 }, () => {
  it('are all tested below', async () => {
    await using peer = await realRelay({ limits: { maxPastSeconds: 1 } })
    assert.deepEqual(
      Object.keys(await advertised(peer)).sort(),
      [...Object.keys(enforced), ...elsewhere].sort(),
    )
  })

  for (const [name, take] of Object.entries(enforced))
    it(`${name} is enforced at exactly the advertised value`, async () => {
      await using peer = await realRelay({
        limits,
        syncPage: 'open',
        clientAddress: ({ headers }) => String(headers['x-address'] ?? '127.0.0.1'),
      })
      await peer.store.put(
        Array.from({ length: 40 }, (_, at) => asParsed(craft({ id: hexId(at), created_at: 1_000 + at }))),
      )
      const max = Number((await advertised(peer))[name])
      assert.ok(
        Object.values(limits).includes(max) || max === defaultLimits.maxNegRecords,
        'the configured value',
      )
      const tries = async (amount: number) => {
        using client = await TestClient.connect(peer.url)
        const taken = await take({ peer, client, max }, amount)
        client.socket.terminate()
        while (peer.relay.stats().connections > 0) await new Promise((resolve) => setImmediate(resolve))
        return taken
      }
      assert.equal(await tries(max), true, `${max} is taken`)
      assert.equal(await tries(max + 1), false, `${max + 1} is refused`)
    })
})
