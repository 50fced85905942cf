import assert from 'node:assert/strict'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { describe, test } from 'node:test'
import { FakeClock } from '../../test/helpers/fake-clock.ts'
import { temporaryFolder } from '../../test/helpers/temporary-folder.ts'
import { createSqliteStore } from '../stores/sqlite/sqlite-store.ts'
import { createToken, isToken, mayDo, tokenDigest } from './api-key.ts'
import { ApiKeys } from './api-keys.ts'
import { loadKeySecret } from './key-secret.ts'

const minute = 60_000

async function world(secret = 'secret') {
  const folder = await temporaryFolder()
  const clock = new FakeClock()
  const store = await createSqliteStore({ dir: folder.path, clock })
  const keys = new ApiKeys({ store, clock, secret: async () => secret })
  return {
    folder,
    clock,
    store,
    keys,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
    },
  }
}

describe('API keys', () => {
  test('E-97 the digest is the HMAC of the token under the secret (vector)', () => {
    const token = `rlk_${'A'.repeat(43)}`
    assert.equal(
      tokenDigest('secret', token),
      '9353a3df972877f3f5198e396f8e1888a8624f8b82632e3f021ac015f85cfde4',
    )
  })

  test('E-97 a token is rlk_ and 43 characters, in the answer of create alone, and nowhere in the files', async () => {
    await using w = await world()
    const { token, ...created } = await w.keys.create({ name: 'One', scopes: ['read'] })
    assert.match(token, /^rlk_[A-Za-z0-9_-]{43}$/)
    assert.equal(token.length, 47)
    assert.equal(created.key_prefix, token.slice(0, 8))
    assert.deepEqual(await w.keys.list(), [created])
    const files = await Promise.all(
      ['syncline.db', 'syncline.db-wal'].map((name) => readFile(w.folder.join(name), 'latin1')),
    )
    assert.ok(
      files.some((text) => text.includes(tokenDigest('secret', token))),
      'the digest is stored',
    )
    assert.ok(!files.some((text) => text.includes(token)), 'the token is not')
  })

  test('E-96 malformed, unknown, revoked and expired tokens give no access', async () => {
    await using w = await world()
    const { token, id } = await w.keys.create({ name: 'One', scopes: ['read'] })
    for (const wrong of [
      '',
      'rlk_',
      `${token} `,
      ` ${token}`,
      token.slice(0, -1),
      `${token}A`,
      createToken(),
    ])
      assert.equal(await w.keys.authenticate(wrong), undefined, JSON.stringify(wrong))
    assert.equal((await w.keys.authenticate(token))?.id, id)
    await w.keys.revoke(id)
    assert.equal(await w.keys.authenticate(token), undefined)
    const brief = await w.keys.create({ name: 'Brief', scopes: ['read'], expiresAt: w.clock.now() + minute })
    assert.equal((await w.keys.authenticate(brief.token))?.name, 'Brief')
    await w.clock.advance(minute)
    assert.equal(await w.keys.authenticate(brief.token), undefined)
  })

  test('E-96 a use is noted, at most once a minute', async () => {
    await using w = await world()
    const { token } = await w.keys.create({ name: 'One', scopes: ['read'] })
    const lastUsed = async () => (await w.keys.list())[0]!.last_used_at
    assert.equal(await lastUsed(), null)
    await w.keys.authenticate(token)
    const first = await lastUsed()
    assert.equal(first, new Date(w.clock.now()).toISOString())
    await w.clock.advance(minute - 1)
    await w.keys.authenticate(token)
    assert.equal(await lastUsed(), first)
    await w.clock.advance(1)
    await w.keys.authenticate(token)
    assert.equal(await lastUsed(), new Date(w.clock.now()).toISOString())
  })

  test('a key made under another secret is unknown', async () => {
    await using w = await world()
    const { token } = await w.keys.create({ name: 'One', scopes: ['read'] })
    const other = new ApiKeys({ store: w.store, clock: w.clock, secret: async () => 'other' })
    assert.equal(await other.authenticate(token), undefined)
  })

  test('revoking takes an id, a token or a prefix that means one key; more than one is refused', async () => {
    await using w = await world()
    const a = await w.keys.create({ name: 'a', scopes: ['read'] })
    const twin = { ...a, id: 'twin' }
    await w.store.transaction((tx) =>
      w.store.apiKeys.insert(tx, {
        id: twin.id,
        name: 'twin',
        digest: tokenDigest('secret', createToken()),
        prefix: a.key_prefix,
        scopes: ['read'],
        createdAt: w.clock.now(),
        expiresAt: undefined,
        lastUsedAt: undefined,
        revokedAt: undefined,
      }),
    )
    await assert.rejects(w.keys.revoke(a.key_prefix), /2 keys begin like this/)
    await assert.rejects(w.keys.revoke('rlk_'), /no key in force/)
    await assert.rejects(w.keys.revoke('nothing'), /no key in force/)
    assert.equal((await w.keys.revoke(a.token)).id, a.id)
    assert.equal((await w.keys.revoke(a.key_prefix)).id, 'twin', 'only one is left')
    await assert.rejects(w.keys.revoke(a.id), /no key in force/, 'a second time')
  })

  test('a name that is blank and an expiry that is past are refused', async () => {
    await using w = await world()
    await assert.rejects(w.keys.create({ name: ' ', scopes: ['read'] }), /Name can't be blank/)
    await assert.rejects(
      w.keys.create({ name: 'x', scopes: ['read'], expiresAt: w.clock.now() }),
      /must be in the future/,
    )
    assert.deepEqual(await w.keys.list(), [])
  })

  test('each scope includes the ones before it', () => {
    assert.ok(mayDo(['admin'], 'read') && mayDo(['write'], 'read') && mayDo(['read'], 'read'))
    assert.ok(!mayDo(['read'], 'write') && !mayDo(['write'], 'admin') && !mayDo([], 'read'))
  })
})

describe('the secret of the keys', () => {
  test('is made once, for its owner only, and never a default', async () => {
    await using folder = await temporaryFolder()
    const secret = await loadKeySecret(folder.path, undefined)
    assert.match(secret, /^[0-9a-f]{64}$/)
    assert.equal((await stat(folder.join('api-key.secret'))).mode & 0o777, 0o600)
    assert.equal(await loadKeySecret(folder.path, ''), secret, 'an empty variable is none')
    assert.equal(await loadKeySecret(folder.path, 'from outside'), 'from outside')
  })

  test('that was cut short is refused', async () => {
    await using folder = await temporaryFolder()
    await writeFile(folder.join('api-key.secret'), 'short\n')
    await assert.rejects(loadKeySecret(folder.path, undefined), /no secret of at least 32 characters/)
  })
})

test('what is made up looks like a token', () => {
  assert.ok(isToken(createToken()))
})
