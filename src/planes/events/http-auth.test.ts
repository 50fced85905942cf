import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { FakeClock } from '../../../test/helpers/fake-clock.ts'
import { newAuthor } from '../../../test/peers/author.ts'
import { HttpAuth, type HttpAuthRequest } from './http-auth.ts'
import { defaultLimits } from './limits.ts'
import type { EventTemplate } from './signer.ts'
import { createInlineVerifier } from './verifier.inline.ts'

const nowSeconds = 1_800_000_000
const url = 'https://relay.example/api?x=1'
const body = Buffer.from('{"method":"x"}')
const digest = createHash('sha256').update(body).digest('hex')
const admin = newAuthor(() => nowSeconds)

function world() {
  const clock = new FakeClock(nowSeconds * 1_000)
  const isAllowed = (pubkey: string) => pubkey === admin.pubkey
  return {
    clock,
    auth: new HttpAuth({ verifier: createInlineVerifier(), limits: defaultLimits, clock, isAllowed }),
  }
}

const tags = (changes: Readonly<Record<string, string | undefined>> = {}) =>
  Object.entries({ u: url, method: 'POST', payload: digest, ...changes }).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value]],
  )

function signed(parts: Partial<EventTemplate> = {}, author = admin): string {
  const event = author.write({ kind: 27_235, tags: tags(), ...parts })
  return `Nostr ${Buffer.from(JSON.stringify(event)).toString('base64')}`
}

const request = (authorization: string | undefined, more: Partial<HttpAuthRequest> = {}): HttpAuthRequest => {
  return { authorization, method: 'POST', urls: ['http://127.0.0.1:7777/api?x=1', url], body, ...more }
}

async function verdict(authorization: string | undefined, more?: Partial<HttpAuthRequest>): Promise<string> {
  const result = await world().auth.check(request(authorization, more))
  return result.ok ? 'ok' : `${result.status} ${result.error}`
}

describe('E-155 NIP-98', () => {
  it('lets in who signed this URL, method and body just now', async () => {
    assert.deepEqual(await world().auth.check(request(signed())), { ok: true, pubkey: admin.pubkey })
    assert.equal(await verdict(signed().replace('Nostr', 'nostr')), 'ok')
    assert.equal(await verdict(signed({ tags: tags({ u: url.replace('https', 'wss') }) })), 'ok')
    const bare = tags({ payload: undefined, method: 'GET' })
    assert.equal(await verdict(signed({ tags: bare }), { method: 'GET', body: Buffer.alloc(0) }), 'ok')
  })

  const forged = () => {
    const event = admin.write({ kind: 27_235, tags: tags() })
    const other = newAuthor(() => nowSeconds).write({ kind: 27_235, tags: tags() })
    return `Nostr ${Buffer.from(JSON.stringify({ ...event, sig: other.sig })).toString('base64')}`
  }
  const refusals: readonly [string, () => string | undefined, string][] = [
    ['no header', () => undefined, '401 auth-required'],
    ['another scheme', () => 'Bearer rlk_x', '401 invalid-authorization'],
    ['no event', () => 'Nostr', '401 invalid-authorization'],
    ['base64 of something else', () => 'Nostr aGVsbG8=', '401 invalid-auth-event'],
    ['another kind', () => signed({ kind: 22_242 }), '401 invalid-auth-event'],
    ['a forged signature', forged, '401 invalid-auth-event'],
    ['an event of a minute ago', () => signed({ created_at: nowSeconds - 61 }), '401 stale-auth-event'],
    ['an event of the future', () => signed({ created_at: nowSeconds + 61 }), '401 stale-auth-event'],
    [
      'another path',
      () => signed({ tags: tags({ u: 'https://relay.example/' }) }),
      '401 auth-url-tag-mismatch',
    ],
    ['another query', () => signed({ tags: tags({ u: `${url}&y` }) }), '401 auth-url-tag-mismatch'],
    [
      'another host',
      () => signed({ tags: tags({ u: 'https://other.example/api?x=1' }) }),
      '401 auth-url-tag-mismatch',
    ],
    ['no URL', () => signed({ tags: tags({ u: undefined }) }), '401 auth-url-tag-mismatch'],
    ['another method', () => signed({ tags: tags({ method: 'GET' }) }), '401 auth-method-tag-mismatch'],
    [
      'another body',
      () => signed({ tags: tags({ payload: '00'.repeat(32) }) }),
      '401 auth-payload-tag-mismatch',
    ],
    ['no digest', () => signed({ tags: tags({ payload: undefined }) }), '401 auth-payload-tag-mismatch'],
    [
      'a stranger',
      () =>
        signed(
          {},
          newAuthor(() => nowSeconds),
        ),
      '403 not-allowed',
    ],
  ]
  for (const [what, authorization, expected] of refusals)
    it(`refuses ${what}`, async () => {
      assert.equal(await verdict(authorization()), expected)
    })

  it('takes each event once, also when it comes twice at once, for as long as it could be used', async () => {
    const { auth, clock } = world()
    const late = request(signed({ created_at: nowSeconds + 60 }))
    const both = await Promise.all([auth.check(late), auth.check(late)])
    assert.deepEqual(both.map(({ ok }) => ok).sort(), [false, true])
    await clock.advance(119_000)
    const again = await auth.check(late)
    assert.equal(!again.ok && again.error, 'replayed-auth-event')
    await clock.advance(2_000)
    const old = await auth.check(late)
    assert.equal(!old.ok && old.error, 'stale-auth-event')
  })
})
