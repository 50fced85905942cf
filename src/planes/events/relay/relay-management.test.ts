import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { type Author, newAuthor } from '../../../../test/peers/author.ts'
import { type RealRelay, realRelay } from '../../../../test/peers/real-relay.ts'
import { TestClient } from '../../../../test/peers/test-client.ts'
import { AddressList, isAddressOrRange } from '../policy/address-list.ts'

const admin = newAuthor()
const mime = 'application/nostr+json+rpc'

function signed(url: string, body: string, by: Author = admin): string {
  const payload = createHash('sha256').update(body).digest('hex')
  const tags = [
    ['u', url],
    ['method', 'POST'],
    ['payload', payload],
    // Two calls of one second would otherwise be one event.
    ['nonce', Math.random().toString()],
  ]
  return `Nostr ${Buffer.from(JSON.stringify(by.write({ kind: 27_235, tags }))).toString('base64')}`
}

interface Reply {
  readonly status: number
  readonly result?: unknown
  readonly error?: string
}

async function post(url: string, body: string, headers: Record<string, string> = {}): Promise<Reply> {
  const response = await fetch(url.replace('ws:', 'http:'), {
    method: 'POST',
    body,
    headers: { 'Content-Type': mime, ...headers },
  })
  const text = await response.text()
  return { status: response.status, ...(text === '' ? {} : JSON.parse(text)) }
}

async function call({ url }: RealRelay, method: string, ...params: unknown[]): Promise<unknown> {
  const body = JSON.stringify({ method, params })
  const { result, error } = await post(url, body, { Authorization: signed(url, body) })
  return error ?? result
}

async function document({ url }: RealRelay): Promise<Record<string, unknown>> {
  const headers = { Accept: 'application/nostr+json' }
  return (await fetch(url.replace('ws:', 'http:'), { headers })).json() as Promise<Record<string, unknown>>
}

const managed = () => realRelay({ admins: [admin.pubkey] })

describe('relay: management (NIP-86)', { timeout: 60_000 }, () => {
  it('is not served where nobody may use it, and says so', async () => {
    await using peer = await realRelay()
    assert.equal((await post(peer.url, '{}')).status, 404)
    assert.ok(!(await document(peer)).supported_nips?.toString().includes('86'))
    await using open = await managed()
    assert.match(String((await document(open)).supported_nips), /,86,98$/)
  })

  it('serves exactly the methods it names', async () => {
    await using peer = await managed()
    const named = (await call(peer, 'supportedmethods')) as string[]
    assert.deepEqual(named, [
      ...['allowevent', 'allowkind', 'allowpubkey', 'banevent', 'banpubkey', 'blockip'],
      ...['changerelaydescription', 'changerelayicon', 'changerelayname', 'disallowkind', 'listallowedkinds'],
      ...[
        'listallowedpubkeys',
        'listbannedevents',
        'listbannedpubkeys',
        'listblockedips',
        'supportedmethods',
      ],
      ...['unallowpubkey', 'unbanpubkey', 'unblockip'],
    ])
    for (const method of named) assert.doesNotMatch(String(await call(peer, method)), /no method/)
    assert.match(String(await call(peer, 'createrole')), /no method createrole/)
    assert.match(String(await call(peer, 'constructor')), /no method/)
  })

  it('E-155 takes nothing that no administrator has signed', async () => {
    await using peer = await managed()
    const body = JSON.stringify({ method: 'banpubkey', params: [newAuthor().pubkey] })
    const http = peer.url.replace('ws:', 'http:')
    const authorization = signed(http, body)
    const cases: readonly [number, RegExp, string, Record<string, string>][] = [
      [401, /^auth-required/, body, {}],
      [401, /^auth-url-tag-mismatch/, body, { Authorization: signed('http://other.example/', body) }],
      [401, /^auth-payload-tag-mismatch/, `${body} `, { Authorization: authorization }],
      [403, /^not-allowed/, body, { Authorization: signed(http, body, newAuthor()) }],
      [415, /content type/, body, { Authorization: authorization, 'Content-Type': 'application/json' }],
      [413, /at most/, ' '.repeat(70_000), { Authorization: authorization }],
      [400, /a call is/, '[]', { Authorization: signed(http, '[]') }],
      [400, /a call is/, '{', { Authorization: signed(http, '{') }],
    ]
    for (const [status, error, text, headers] of cases) {
      const reply = await post(peer.url, text, headers)
      assert.equal(reply.status, status, reply.error ?? 'answered')
      assert.match(reply.error ?? '', error)
    }
    assert.deepEqual(await peer.store.bans('pubkey'), [])
    assert.deepEqual(peer.calls, [])
    assert.equal((await post(peer.url, body, { Authorization: authorization })).status, 200)
    assert.match((await post(peer.url, body, { Authorization: authorization })).error ?? '', /^replayed/)
  })

  it('bans events and authors, and lets them in again', async () => {
    await using peer = await managed()
    const [author, other] = [newAuthor(), newAuthor()]
    const [one, two, foreign] = [
      author.write({ content: '1' }),
      author.write({ content: '2' }),
      other.write(),
    ]
    using client = await TestClient.connect(peer.url)
    for (const event of [one, foreign]) assert.equal((await client.ask(['EVENT', event]))[2], true)
    assert.equal(await call(peer, 'banpubkey', author.pubkey, 'spam'), true)
    assert.equal(await call(peer, 'banevent', foreign.id, null), true)
    assert.deepEqual(await call(peer, 'listbannedpubkeys'), [{ pubkey: author.pubkey, reason: 'spam' }])
    assert.deepEqual(await call(peer, 'listbannedevents'), [{ id: foreign.id, reason: '' }])
    assert.deepEqual((await client.request('all', {})).events, [])
    client.send(['CLOSE', 'all'])
    for (const event of [one, two, foreign])
      assert.deepEqual((await client.ask(['EVENT', event])).slice(2), [
        false,
        'blocked: banned by this relay',
      ])
    assert.equal(await call(peer, 'unbanpubkey', author.pubkey), true)
    assert.equal(await call(peer, 'allowevent', foreign.id), true)
    for (const event of [one, foreign]) assert.equal((await client.ask(['EVENT', event]))[2], true)
    assert.deepEqual(peer.calls.map(({ method, result }) => `${method} ${result}`).slice(0, 2), [
      'banpubkey ok',
      'banevent ok',
    ])
    assert.equal(peer.calls[0]?.actor, `nostr ${admin.pubkey}`)
  })

  it('lists of allowed authors and kinds are all there is, once they have entries', async () => {
    await using peer = await managed()
    const [friend, stranger] = [newAuthor(), newAuthor()]
    using client = await TestClient.connect(peer.url)
    const taken = async (by: Author, kind: number) =>
      (await client.ask(['EVENT', by.write({ kind, content: String(Math.random()) })]))[2]
    const restricted = async () =>
      ((await document(peer)).limitation as { restricted_writes: boolean }).restricted_writes
    assert.equal(await restricted(), false)
    await call(peer, 'allowpubkey', friend.pubkey, 'a friend')
    assert.equal(await restricted(), true)
    assert.deepEqual([await taken(friend, 1), await taken(stranger, 1)], [true, false])
    assert.deepEqual(await call(peer, 'listallowedpubkeys'), [{ pubkey: friend.pubkey, reason: 'a friend' }])
    await call(peer, 'unallowpubkey', friend.pubkey)
    assert.deepEqual([await taken(stranger, 1), await taken(stranger, 7)], [true, true])
    await call(peer, 'disallowkind', 7)
    assert.deepEqual([await taken(stranger, 1), await taken(stranger, 7)], [true, false])
    await call(peer, 'allowkind', 7)
    assert.deepEqual([await taken(stranger, 1), await taken(stranger, 7)], [true, true])
    await call(peer, 'allowkind', 10)
    await call(peer, 'allowkind', 7)
    assert.deepEqual(await call(peer, 'listallowedkinds'), [7, 10])
    assert.deepEqual([await taken(stranger, 1), await taken(stranger, 7)], [false, true])
  })

  it('a blocked address is sent away and not let in again', async () => {
    await using peer = await managed()
    using client = await TestClient.connect(peer.url)
    // The answer still comes: the call was already in.
    assert.equal(await call(peer, 'blockip', '127.0.0.0/8', 'test'), true)
    assert.equal((await client.closed()).code, 1008)
    await assert.rejects(TestClient.connect(peer.url), /403/)
    assert.equal((await post(peer.url, '{}')).status, 403)
  })

  it('changes what the relay says about itself', async () => {
    await using peer = await managed()
    await call(peer, 'changerelayname', 'Renamed')
    await call(peer, 'changerelaydescription', 'For tests')
    await call(peer, 'changerelayicon', 'https://relay.example/icon.png')
    const { name, description, icon } = await document(peer)
    assert.deepEqual([name, description, icon], ['Renamed', 'For tests', 'https://relay.example/icon.png'])
    assert.match(await (await fetch(peer.url.replace('ws:', 'http:'))).text(), /^Renamed\nFor tests/)
  })

  it('parameters that are none are refused by their place, and nothing changes', async () => {
    await using peer = await managed()
    const wrong: readonly [string, ...unknown[]][] = [
      ['banpubkey'],
      ['banpubkey', 'AB'.repeat(32)],
      ['banevent', 5],
      ['banevent', newAuthor().pubkey, { why: 1 }],
      ['allowkind', 65_536],
      ['disallowkind', '7'],
      ['blockip', 'example.org'],
      ['blockip', '10.0.0.0/33'],
      ['changerelayname', ''],
      ['changerelayname', 'x'.repeat(30)],
      ['changerelayicon', 'javascript:alert(1)'],
    ]
    for (const [method, ...params] of wrong)
      assert.match(String(await call(peer, method, ...params)), /^params\[/, method)
    assert.deepEqual([...(await peer.store.bans('id')), ...(await peer.store.bans('pubkey'))], [])
    assert.equal((await document(peer)).name, 'test relay')
  })

  it('calls from one address have the rate of its requests', async () => {
    await using peer = await realRelay({
      admins: [admin.pubkey],
      limits: { requestsPerAddress: 1, burstSeconds: 3 },
    })
    const statuses: number[] = []
    for (let at = 0; at < 8; at++) statuses.push((await post(peer.url, '{}')).status)
    assert.equal(statuses[0], 401)
    assert.ok(statuses.includes(429), statuses.join())
  })
})

describe('lists of addresses', () => {
  it('hold addresses and ranges of both families, and know an IPv4 client on either listener', () => {
    const list = new AddressList(['192.0.2.7', '10.0.0.0/8', '2001:db8::/32', '::ffff:198.51.100.1'])
    for (const one of ['192.0.2.7', '::ffff:192.0.2.7', '10.1.2.3', '2001:db8:1::1', '198.51.100.1'])
      assert.ok(list.has(one), one)
    for (const one of ['192.0.2.8', '11.0.0.1', '2001:db9::1', 'unknown', '']) assert.ok(!list.has(one), one)
    for (const text of ['192.0.2.7', '::1', 'fe80::1%eth0', '0.0.0.0/0', '::/0'])
      assert.ok(isAddressOrRange(text), text)
    for (const text of ['', 'x', '1.2.3', '1.2.3.4/33', '::/129', '1.2.3.4/8/8', '1.2.3.4/', '/8'])
      assert.ok(!isAddressOrRange(text), text)
  })
})
