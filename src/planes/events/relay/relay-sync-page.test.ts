import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { asParsed, craft, hexId } from '../../../../test/acceptance/event-arbitrary.ts'
import { type Author, newAuthor } from '../../../../test/peers/author.ts'
import { type RealRelay, type RealRelayOptions, realRelay } from '../../../../test/peers/real-relay.ts'
import { type Frame, TestClient } from '../../../../test/peers/test-client.ts'
import type { PageOptions } from '../bulk/page-options.ts'
import type { NostrEvent } from '../event.ts'
import type { Filter } from '../filter.ts'
import type { SyncPageCursor } from '../sync-page-frame.ts'

interface WirePage {
  readonly events: readonly NostrEvent[]
  readonly next: SyncPageCursor | null
  readonly complete: boolean
  readonly raw_count: number
}

const reader = newAuthor()

async function setup(events: readonly NostrEvent[], options: RealRelayOptions = {}): Promise<RealRelay> {
  const peer = await realRelay({ syncPage: 'open', ...options })
  await peer.store.put(events.map(asParsed))
  return peer
}

const series = (count: number, fields: (at: number) => Partial<NostrEvent> = () => ({})) =>
  Array.from({ length: count }, (_, at) => craft({ id: hexId(at), created_at: 1_000 + at, ...fields(at) }))

/** Authenticates after the refusal that brings the challenge. */
async function authenticate(client: TestClient, url: string, author: Author): Promise<void> {
  client.send(['SYNC-PAGE', 'knock', { kinds: [1059] }])
  const [[, challenge] = []] = await client.until('SYNC-PAGE-ERR')
  assert.equal((await client.ask(['AUTH', author.authenticate(url, String(challenge))]))[2], true)
}

async function wirePages(client: TestClient, filter: Filter, options: object): Promise<WirePage[]> {
  const pages: WirePage[] = []
  for (let after: SyncPageCursor | null = null; ; ) {
    const [verb, id, page] = await client.ask(['SYNC-PAGE', 'w', filter, { ...options, after }])
    assert.deepEqual([verb, id], ['SYNC-PAGE', 'w'], String(page))
    pages.push(page as WirePage)
    if (pages.at(-1)!.complete) return pages
    after = pages.at(-1)!.next
  }
}

async function localPages({ bulk }: RealRelay, filter: Filter, options: PageOptions): Promise<WirePage[]> {
  const pages: WirePage[] = []
  let afterKey = options.afterKey
  for (;;) {
    const page = await bulk.pageEvents(filter, { ...options, afterKey })
    assert.ok(page.ok, JSON.stringify(page))
    const { events, nextCursor, complete, rawCount } = page.value
    pages.push({ events, next: nextCursor as SyncPageCursor | null, complete, raw_count: rawCount })
    if (complete) return pages
    afterKey = nextCursor
  }
}

describe('relay: SYNC-PAGE', { timeout: 60_000 }, () => {
  it('E-90 brings the pages that pageEvents brings to the same reader', async () => {
    // Every third is for its author and recipients only, of which the reader is one of every other.
    const wraps = (at: number) => {
      const p = at % 2 === 0 ? reader.pubkey : hexId('somebody')
      return at % 3 === 0 ? { kind: 1059, tags: [['p', p]] } : { created_at: 1_000 + (at % 5) }
    }
    await using peer = await setup(series(60, wraps))
    using client = await TestClient.connect(peer.url)
    const compare = async (...authenticatedPubkeys: string[]) => {
      const context = { caller: 'websocket', authenticatedPubkeys } as const
      for (const order of ['asc', 'desc'] as const)
        for (const limit of [1, 7, 60])
          for (const filter of [{}, { kinds: [1, 1059] }, { since: 1_002, until: 1_040 }] as Filter[]) {
            const [wire, local] = [
              await wirePages(client, filter, { order, limit }),
              await localPages(peer, filter, { order, limit, context }),
            ]
            assert.deepEqual(wire, local)
            assert.ok(
              wire.some(({ raw_count, events }) => raw_count > events.length),
              'some were hidden',
            )
          }
    }
    await compare()
    await authenticate(client, peer.url, reader)
    await compare(reader.pubkey)
  })

  it('E-79 E-90 starts after one key and ends with another, with the texts of the events as they came', async () => {
    const raw = JSON.stringify(craft({ id: hexId('spaced'), created_at: 1_001 }), null, 1).replaceAll(
      '\n',
      ' ',
    )
    await using peer = await setup([])
    await peer.store.put([{ event: JSON.parse(raw), raw }, ...series(1).map(asParsed)])
    using client = await TestClient.connect(peer.url)
    const texts: string[] = []
    client.socket.on('message', (data) => texts.push(String(data)))
    const first = [1_000, hexId(0)]
    const [, , page] = await client.ask([
      'SYNC-PAGE',
      'a',
      {},
      { after: first, until: [1_001, hexId('spaced')] },
    ])
    assert.equal((page as WirePage).raw_count, 1)
    assert.ok(texts[0]?.includes(raw))
  })

  it('E-91 a page that would be too large ends early, and the next one goes on exactly there', async () => {
    const maxSyncPageBytes = 20_000
    // From a few bytes to nearly a page, one hidden in between, one larger than any page.
    const large = (at: number) => {
      if (at === 20) return { kind: 1059 }
      return { content: 'ä'.repeat(at === 30 ? 15_000 : (at * 397) % 8_000) }
    }
    await using peer = await setup(series(40, large), { limits: { maxSyncPageBytes } })
    using client = await TestClient.connect(peer.url)
    const sizes: number[] = []
    client.socket.on('message', (data) => sizes.push(Buffer.byteLength(String(data))))
    const pages = await wirePages(client, {}, { limit: 1_000 })
    assert.ok(pages.length > 10, `${pages.length} pages`)
    assert.ok(pages.every(({ raw_count }) => raw_count > 0))
    for (const [at, size] of sizes.entries())
      assert.ok(size <= maxSyncPageBytes || pages[at]!.raw_count === 1, `page ${at} has ${size} bytes`)
    assert.ok(pages.slice(0, -1).every(({ complete }) => !complete))
    const seen = pages.flatMap(({ events }) => events.map(({ id }) => id))
    assert.deepEqual(seen, [...Array(40).keys()].filter((at) => at !== 20).map(hexId))
    assert.equal(
      pages.reduce((sum, { raw_count }) => sum + raw_count, 0),
      40,
    )
  })

  it('E-150 lowers a larger limit to the advertised one', async () => {
    await using peer = await setup(series(30), { limits: { maxSyncPageLimit: 11, maxMessageBytes: 60_000 } })
    const response = await fetch(peer.url.replace('ws:', 'http:'), {
      headers: { Accept: 'application/nostr+json' },
    })
    const { sync_page } = (await response.json()) as { sync_page: unknown }
    assert.deepEqual(sync_page, { version: 1, max_limit: 11, max_bytes: 60_000 })
    using client = await TestClient.connect(peer.url)
    for (const options of [{}, { limit: 12 }, { limit: 11 }]) {
      const [, , page] = await client.ask(['SYNC-PAGE', 'a', {}, options])
      assert.equal((page as WirePage).raw_count, 11)
    }
  })

  it('E-92 by default asks for a grant over the filter, after AUTH', async () => {
    await using peer = await setup(series(3), { syncPage: 'authenticated' })
    using client = await TestClient.connect(peer.url)
    const [challenge, refusal] = [await client.ask(['SYNC-PAGE', 'a', {}]), await client.next()]
    assert.equal(challenge[0], 'AUTH')
    assert.deepEqual(refusal.slice(0, 2), ['SYNC-PAGE-ERR', 'a'])
    assert.match(String(refusal[2]), /^auth-required: /)
    await client.ask(['AUTH', reader.authenticate(peer.url, String(challenge[1]))])
    assert.match(String((await client.ask(['SYNC-PAGE', 'a', {}]))[2]), /^restricted: sync_read_not_allowed/)
    const grant = { principal_type: 'pubkey', principal: reader.pubkey, capability: 'sync_read' } as const
    await peer.acl.grant({ ...grant, match: { kinds: [1] } })
    assert.match(String((await client.ask(['SYNC-PAGE', 'a', {}]))[2]), /^restricted: /)
    const [verb, , page] = await client.ask(['SYNC-PAGE', 'a', { kinds: [1] }])
    assert.equal(verb, 'SYNC-PAGE')
    assert.equal((page as WirePage).events.length, 3)
  })

  it('E-81 E-92 open to all, it still keeps what is protected or restricted', async () => {
    await using peer = await setup(
      series(2, (at) => ({ kind: at === 0 ? 5000 : 1059 })),
      {
        protectedFilters: [{ kinds: [5000] }],
      },
    )
    using client = await TestClient.connect(peer.url)
    for (const filter of [{}, { kinds: [5000] }, { kinds: [1059] }]) {
      client.send(['SYNC-PAGE', 'a', filter])
      assert.match(String((await client.until('SYNC-PAGE-ERR')).at(-1)?.[2]), /^auth-required: /)
    }
    const [, , page] = await client.ask(['SYNC-PAGE', 'a', { ids: [hexId(0)] }])
    assert.deepEqual([(page as WirePage).events, (page as WirePage).raw_count], [[], 1])
  })

  it('E-92 switched off it is unsupported, and not advertised', async () => {
    await using peer = await setup([], { syncPage: 'off' })
    using client = await TestClient.connect(peer.url)
    assert.deepEqual(await client.ask(['SYNC-PAGE', 'a', {}]), [
      'SYNC-PAGE-ERR',
      'a',
      'unsupported: SYNC-PAGE is disabled',
    ])
    const headers = { Accept: 'application/nostr+json' }
    const response = await fetch(peer.url.replace('ws:', 'http:'), { headers })
    const document = (await response.json()) as { sync_page?: unknown; limitation: object }
    assert.ok(!('sync_page' in document) && !('max_sync_pages' in document.limitation))
  })

  const malformed: readonly [string, Frame][] = [
    ['a limit in the filter', ['SYNC-PAGE', 'a', { limit: 1 }]],
    ['a search in the filter', ['SYNC-PAGE', 'a', { search: 'x' }]],
    ['an unknown condition', ['SYNC-PAGE', 'a', { since_id: 1 }]],
    ['an empty list', ['SYNC-PAGE', 'a', { ids: [] }]],
    ['a list of filters', ['SYNC-PAGE', 'a', [{}]]],
    ['no filter', ['SYNC-PAGE', 'a']],
    ['an unknown option', ['SYNC-PAGE', 'a', {}, { offset: 1 }]],
    ['a limit of 0', ['SYNC-PAGE', 'a', {}, { limit: 0 }]],
    ['the order of arrival', ['SYNC-PAGE', 'a', {}, { order: 'seq' }]],
    ['a cursor that is none', ['SYNC-PAGE', 'a', {}, { after: [1, 'x'] }]],
    ['one element too many', ['SYNC-PAGE', 'a', {}, {}, {}]],
  ]
  for (const [what, frame] of malformed)
    it(`E-92 refuses ${what}`, async () => {
      await using peer = await setup(series(1))
      using client = await TestClient.connect(peer.url)
      const [verb, id, reason] = await client.ask(frame)
      assert.deepEqual([verb, id], ['SYNC-PAGE-ERR', 'a'])
      assert.match(String(reason), /^invalid: (?!.*\b[a-z]+: [a-z]+: )/)
      assert.equal((await client.ask(['SYNC-PAGE', 'a', {}]))[0], 'SYNC-PAGE', 'the next one is answered')
    })

  it('E-94 answers each request once: the fifth at a time, and an id still open, are refused', async () => {
    await using peer = await setup(series(5))
    using client = await TestClient.connect(peer.url)
    const asked = ['1', '2', '2', '3', '4', '5']
    client.sendTogether(asked.map((id) => ['SYNC-PAGE', id, {}]))
    const answers: Frame[] = []
    for (const _ of asked) answers.push(await client.next())
    const refused = answers.filter(([verb]) => verb === 'SYNC-PAGE-ERR')
    assert.match(refused.map(String).join(), /^SYNC-PAGE-ERR,2,invalid: .*,SYNC-PAGE-ERR,5,rate-limited: /)
    const answered = answers.filter(([verb]) => verb === 'SYNC-PAGE').map(([, id]) => id)
    assert.deepEqual(answered, ['1', '2', '3', '4'])
    assert.deepEqual(await client.settled(), [], 'and nothing twice')
    assert.equal((await client.ask(['SYNC-PAGE', '5', {}]))[0], 'SYNC-PAGE')
  })

  it('K11 what was asked for before the relay stops is answered', async () => {
    await using peer = await setup(series(5))
    using client = await TestClient.connect(peer.url)
    client.send(['SYNC-PAGE', 'first', {}])
    await client.next()
    client.sendTogether(['a', 'b'].map((id) => ['SYNC-PAGE', id, {}]))
    assert.equal((await client.next())[1], 'a')
    const stopped = peer.relay[Symbol.asyncDispose]()
    assert.equal((await client.next())[1], 'b')
    client.socket.close()
    await stopped
  })

  it('K7 a reader that does not read is read for no more than the messages he has room for', async () => {
    const content = 'x'.repeat(100_000)
    await using peer = await setup(
      series(40, () => ({ content })),
      { limits: { maxPendingBytes: 200_000 } },
    )
    using client = await TestClient.connect(peer.url)
    client.socket.pause()
    for (let at = 0; at < 100; at++) client.send(['SYNC-PAGE', String(at), {}])
    using other = await TestClient.connect(peer.url)
    for (let at = 0; at < 20; at++) await other.settled()
    // What it has room for, and one page beyond.
    assert.ok(peer.relay.stats().pendingBytes < 200_000 + 1_100_000)
    client.socket.resume()
    const seen = new Set<unknown>()
    while (seen.size < 100) seen.add((await client.next())[1])
  })
})
