import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { asParsed, craft, hexId } from '../../../../test/acceptance/event-arbitrary.ts'
import { FakeClock } from '../../../../test/helpers/fake-clock.ts'
import { newAuthor } from '../../../../test/peers/author.ts'
import { realRelay } from '../../../../test/peers/real-relay.ts'
import { TestClient } from '../../../../test/peers/test-client.ts'
import type { LogFields, Logger } from '../../../kernel/logger.ts'
import { everything } from '../event-store.ts'

const author = newAuthor()
const good = author.write({ content: 'x' })

/** The event as text, with one field's text replaced. */
const changed = (field: string, value: string, event: object = good) =>
  JSON.stringify(event).replace(
    new RegExp(`("${field}":)("[^"]*"|\\d+|\\[\\])`),
    (_, key) => `${key}${value}`,
  )
const published = (raw: string) => `["EVENT",${raw}]`

const badEvents: readonly [string, string][] = [
  ['a wrong id', changed('id', `"${'0'.repeat(64)}"`)],
  ['a forged signature', changed('sig', `"${author.write({ content: 'y' }).sig}"`)],
  ['a signature of nobody', changed('pubkey', `"${newAuthor().pubkey}"`)],
  ['uppercase hex', changed('id', `"${good.id.toUpperCase()}"`)],
  ['a short signature', changed('sig', '"ab"')],
  ['1e400 as time', changed('created_at', '1e400')],
  ['2^53 + 1 as time', changed('created_at', '9007199254740993')],
  ['1.5 as time', changed('created_at', '1.5')],
  ['1.0 as time', changed('created_at', '1.0')],
  ['a negative time', changed('created_at', '-1')],
  ['a time in quotes', changed('created_at', '"1700000000"')],
  [
    'a time far ahead',
    JSON.stringify(author.write({ created_at: Math.floor(Date.now() / 1_000) + 100_000 })),
  ],
  ['kind 65536', changed('kind', '65536')],
  ['kind -1', changed('kind', '-1')],
  ['kind null', changed('kind', 'null')],
  ['half a surrogate pair', changed('content', '"\\ud800"')],
  ['tags that are no lists', changed('tags', '["a"]')],
  ['tags of numbers', changed('tags', '[["a",1]]')],
  ['an empty tag', changed('tags', '[[]]')],
  ['deep tags', changed('tags', `[["a",${'['.repeat(500)}${']'.repeat(500)}]]`)],
  ['2,001 tags', JSON.stringify(author.write({ tags: Array.from({ length: 2_001 }, () => ['a']) }))],
  ['a tag value of 4,097 bytes', JSON.stringify(author.write({ tags: [['a', 'x'.repeat(4_097)]] }))],
  ['200,001 characters', JSON.stringify(author.write({ content: 'x'.repeat(200_001) }))],
  ['more than 256 KiB', JSON.stringify(author.write({ content: '\u0001'.repeat(100_000) }))],
  ['JSON that breaks off', JSON.stringify(good).slice(0, -1)],
  ['two events', `${JSON.stringify(good)},${JSON.stringify(good)}`],
]

const filters: readonly [string, object | string, RegExp][] = [
  ['1,001 authors', { authors: Array.from({ length: 1_001 }, (_, at) => hexId(at)) }, /^invalid: /],
  ['129 tag values', { '#t': Array.from({ length: 129 }, String) }, /^invalid: /],
  ['a million pairs', { authors: Array(1_000).fill(hexId(1)), kinds: Array(1_000).fill(1) }, /^invalid: /],
  ['a huge tag value', { '#t': ['x'.repeat(4_097)] }, /^invalid: /],
  ['short ids', { ids: ['ab'] }, /^invalid: /],
  ['uppercase ids', { ids: [hexId(1).toUpperCase()] }, /^invalid: /],
  ['a negative since', { since: -1 }, /^invalid: /],
  ['until 1.5', { until: 1.5 }, /^invalid: /],
  ['until 1e400', '{"until":1e400}', /^invalid: /],
  ['limit 2^53 + 1', '{"limit":9007199254740993}', /^invalid: /],
  ['a kind in quotes', { kinds: ['1'] }, /^invalid: /],
  ['kinds that are no list', { kinds: 1 }, /^invalid: /],
  ['null', 'null', /^invalid: /],
  ['a list', '[{}]', /^invalid: /],
  ['a number', '5', /^invalid: /],
  ['a long tag name', { '#tt': ['a'] }, /^unsupported: /],
  ['a prototype', '{"__proto__":{"kinds":[1]}}', /^unsupported: /],
  ['a search', { search: 'x' }, /^unsupported: /],
]

const nonsense: readonly [string, string | Uint8Array][] = [
  ['text', 'hello'],
  ['nothing', ''],
  ['a megabyte of [', '['.repeat(1_000_000)],
  ['a megabyte of {"a":', '{"a":'.repeat(200_000)],
  ['an object', '{}'],
  ['an unknown verb', '["HELLO","a"]'],
  ['a number as verb', '[5]'],
  ['an event without id', '["EVENT",{}]'],
  ['binary', Uint8Array.of(0x5b, 0x5d)],
  ['a message over the limit', `["REQ","a",{}${' '.repeat(1_048_576)}]`],
]

describe('relay: hostile input', { timeout: 60_000 }, () => {
  it('E-138 N1 answers each bad event with OK false and invalid:, and stores nothing', async () => {
    await using peer = await realRelay()
    using client = await TestClient.connect(peer.url)
    using witness = await TestClient.connect(peer.url)
    await witness.request('live', {})
    for (const [name, raw] of badEvents) {
      const [verb, , accepted, reason] = await client.ask(published(raw))
      assert.deepEqual([verb, accepted], ['OK', false], name)
      assert.match(String(reason), /^invalid: ./, name)
    }
    assert.deepEqual(await client.ask(published(JSON.stringify(good))), ['OK', good.id, true, ''])
    assert.deepEqual((await witness.next())[0], 'EVENT')
    assert.equal(await peer.store.count([{}], everything), 1)
    assert.equal(peer.relay.stats().failures, 0)
  })

  it('T-LOG-1 writes nothing of what it refuses to its log (incident I6)', async () => {
    const lines: string[] = []
    const write = (message: string, fields?: LogFields) =>
      void lines.push(`${message} ${JSON.stringify(fields)}`)
    const log: Logger = { debug: write, info: write, warn: write, error: write, child: () => log }
    await using peer = await realRelay({ log })
    using client = await TestClient.connect(peer.url)
    let bytes = 0
    for (const [, raw] of badEvents) {
      await client.ask(published(raw))
      bytes += raw.length
    }
    for (const [, message] of nonsense) {
      await client.ask(message)
      bytes += message.length
    }
    const written = lines.join('\n')
    assert.ok(written.length < bytes / 100, written.slice(0, 1_000))
    assert.ok(!written.includes(good.id))
  })

  it('T-MAL-10 answers each bad filter with CLOSED by REQ and COUNT, and NEG-ERR by NEG-OPEN', async () => {
    await using peer = await realRelay()
    using client = await TestClient.connect(peer.url)
    for (const [name, filter, reason] of filters) {
      const text = typeof filter === 'string' ? filter : JSON.stringify(filter)
      for (const verb of ['REQ', 'COUNT']) {
        const [closed, id, why] = await client.ask(`["${verb}","a",${text}]`)
        assert.deepEqual([closed, id], ['CLOSED', 'a'], name)
        assert.match(String(why), reason, name)
      }
      // A list of one filter is how a widespread client sends it.
      if (name === 'a list') continue
      const [negErr, id, why] = await client.ask(`["NEG-OPEN","a",${text},"6100000200"]`)
      assert.deepEqual([negErr, id], ['NEG-ERR', 'a'], name)
      assert.match(String(why), reason, name)
    }
    const seventeen = await client.ask(['REQ', 'a', ...Array(17).fill({})])
    assert.match(String(seventeen[2]), /^invalid: .*16/)
    assert.equal(peer.relay.stats().subscriptions, 0)
    assert.equal(peer.relay.stats().failures, 0)
  })

  it('answers each message that makes no sense with one NOTICE, and keeps the connection', async () => {
    await using peer = await realRelay()
    using client = await TestClient.connect(peer.url)
    for (const [name, message] of nonsense) {
      const [verb, reason] = await client.ask(message)
      assert.equal(verb, 'NOTICE', name)
      assert.match(String(reason), /^invalid: ./, name)
    }
    assert.deepEqual(await client.settled(), [])
    assert.equal(peer.relay.stats().failures, 0)
  })

  it('closes with 1008 after 20 such messages in a minute, and nobody else', async () => {
    const clock = new FakeClock(Date.now())
    await using peer = await realRelay({ clock })
    using client = await TestClient.connect(peer.url)
    using witness = await TestClient.connect(peer.url)
    for (let at = 0; at < 20; at++) assert.equal((await client.ask('nonsense'))[0], 'NOTICE')
    await clock.advance(3_000)
    assert.equal((await client.ask('nonsense'))[0], 'NOTICE', 'a third of a minute gives a third back')
    client.send('nonsense')
    assert.equal((await client.closed()).code, 1008)
    assert.equal((await witness.ask(['REQ', 'a', {}]))[0], 'EOSE')
  })

  it('closes with 1009 at twice the message limit, 1007 for broken UTF-8, and frees the connection', async () => {
    await using peer = await realRelay({ limits: { maxMessageBytes: 10_000 } })
    using large = await TestClient.connect(peer.url)
    large.send(' '.repeat(20_001))
    assert.equal((await large.closed()).code, 1009)
    using broken = await TestClient.connect(peer.url)
    broken.socket.send(Buffer.from([0xff, 0xfe]), { binary: false })
    assert.equal((await broken.closed()).code, 1007)
    using witness = await TestClient.connect(peer.url)
    while (peer.relay.stats().connections > 1) await witness.settled()
  })

  it('T-MAL-11 10,000 subscriptions opened, replaced and closed never hold more than the limit', async () => {
    await using peer = await realRelay({
      limits: { requestsPerConnection: 1_000_000, requestsPerAddress: 1_000_000 },
    })
    await peer.store.put([asParsed(craft({ id: hexId(1) }))])
    using client = await TestClient.connect(peer.url)
    let [eose, refused] = [0, 0]
    for (let round = 0; round < 50; round++) {
      for (let at = 0; at < 200; at++)
        client.send(['REQ', `${round % 2} ${at % 100}`, { limit: 1, kinds: [at] }])
      for (const { length } of [await client.settled()]) assert.ok(length > 0)
      assert.ok(peer.relay.stats().subscriptions <= 64)
      for (let at = 0; at < 200; at++) client.send(['CLOSE', `${round % 2} ${at}`])
      const frames = await client.settled()
      eose += frames.filter(([verb]) => verb === 'EOSE').length
      refused += frames.filter(([verb]) => verb === 'CLOSED').length
      assert.equal(peer.relay.stats().subscriptions, 0)
    }
    assert.ok(eose + refused < 10_000)
  })

  it('slows a flood of requests down to its rate, without refusing any', async () => {
    const clock = new FakeClock(Date.now())
    await using peer = await realRelay({ clock, limits: { requestsPerConnection: 2, burstSeconds: 5 } })
    using client = await TestClient.connect(peer.url)
    using witness = await TestClient.connect(peer.url)
    for (let at = 0; at < 14; at++) client.send(['REQ', String(at), { ids: [] }])
    for (let at = 0; at < 11; at++) assert.deepEqual(await client.next(), ['EOSE', String(at), ['finish']])
    assert.equal((await witness.ask(['REQ', 'a', {}]))[0], 'EOSE')
    for (let at = 11; at < 14; at++) {
      await clock.advance(500)
      assert.deepEqual(await client.next(), ['EOSE', String(at), ['finish']])
    }
  })

  it('slows a flood of events down to its rate, and stores them all', async () => {
    const clock = new FakeClock(Date.now())
    await using peer = await realRelay({ clock, limits: { eventsPerConnection: 2, burstSeconds: 5 } })
    using client = await TestClient.connect(peer.url)
    const events = Array.from({ length: 14 }, (_, at) => author.write({ content: `flood ${at}` }))
    for (const event of events) client.send(['EVENT', event])
    for (const { id } of events.slice(0, 11)) assert.deepEqual(await client.next(), ['OK', id, true, ''])
    for (const { id } of events.slice(11)) {
      await clock.advance(500)
      assert.deepEqual(await client.next(), ['OK', id, true, ''])
    }
  })
})
