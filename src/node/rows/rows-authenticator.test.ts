import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { SignJWT } from 'jose'
import { configSchema } from '../../config/schema.ts'
import { systemClock } from '../../kernel/clock.ts'
import { silentLogger } from '../../kernel/logger.ts'
import { SyncError } from '../../kernel/sync-error.ts'
import { rowsAuthenticator } from './rows-authenticator.ts'
import { addRowsKey, removeRowsKeys, rowsKeysFile } from './rows-keys.ts'

const directory = await mkdtemp(join(tmpdir(), 'syncline-test-'))
after(() => rm(directory, { recursive: true, force: true }))

const configured = (rows: Record<string, unknown>, host = '127.0.0.1') => configSchema.parse({ host, rows })

/** Without its trust in what it read a second ago: time is the argument it is. */
function authenticator(rows: Record<string, unknown>, host?: string, clock = systemClock) {
  return rowsAuthenticator({ config: configured(rows, host), directory, clock, log: silentLogger })
}

const asking = (token?: string) =>
  new Request(
    'http://127.0.0.1/sync/pull',
    token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } },
  )

const isInvalid = (message: RegExp) => (error: unknown) =>
  error instanceof SyncError && error.code === 'config/invalid' && message.test(error.message)

async function keyFile(name: string, text: string): Promise<string> {
  const path = join(directory, name)
  await writeFile(path, text)
  return path
}

function signed(claims: Record<string, unknown>, key: KeyObject | Uint8Array, alg: string, kid?: string) {
  return new SignJWT(claims).setProtectedHeader({ alg, ...(kid && { kid }) }).sign(key)
}

describe('who a rows request comes from', () => {
  it('must be configured, and insecure-header only on loopback', async () => {
    await assert.rejects(authenticator({}), isInvalid(/^rows\.auth is missing/))
    for (const host of ['0.0.0.0', '192.0.2.1', 'example.org'])
      await assert.rejects(authenticator({ auth: 'insecure-header' }, host), isInvalid(/insecure-header/))
    const authenticate = await authenticator({ auth: 'insecure-header' })
    assert.equal(await authenticate(asking('ada')), 'ada')
    assert.equal(await authenticate(asking()), '')
  })

  it('by key: the user it was made for, nobody without one, and no longer once it is revoked', async () => {
    let monotonic = 0
    const clock = { ...systemClock, monotonic: () => (monotonic += 2_000), now: () => systemClock.now() }
    const authenticate = await authenticator({ auth: 'key' }, undefined, clock)
    const file = rowsKeysFile(configured({ auth: 'key' }), directory)
    const ada = await addRowsKey(file, 'ada')
    const tablet = await addRowsKey(file, 'ada')
    const bob = await addRowsKey(file, 'bob')
    assert.equal(await authenticate(asking(ada)), 'ada')
    assert.equal(await authenticate(asking(tablet)), 'ada')
    assert.equal(await authenticate(asking(bob)), 'bob')
    assert.equal(await authenticate(asking(`${bob}x`)), '')
    assert.equal(await authenticate(asking()), '')
    assert.equal(await removeRowsKeys(file, 'ada'), 2)
    assert.equal(await authenticate(asking(ada)), '')
    assert.equal(await authenticate(asking(bob)), 'bob')
  })

  it('by a file of keys that is damaged: refused at the start', async () => {
    const keysFile = await keyFile('damaged.json', '{"ada": "a key in plain text"}')
    await assert.rejects(authenticator({ auth: 'key', keysFile }), isInvalid(/damaged/))
  })

  it('by token, HS256: its user, and nobody for one that is forged, over, endless, or for others', async () => {
    const secret = 'a secret of more than thirty-two bytes'
    const jwtKeyFile = await keyFile('secret', `${secret}\n`)
    const rows = { auth: 'jwt', jwtKeyFile, jwtIssuer: 'us', jwtAudience: 'rows' }
    const authenticate = await authenticator(rows)
    const exp = Math.floor(systemClock.now() / 1_000) + 600
    const key = Buffer.from(secret)
    const good = { sub: 'ada', exp, iss: 'us', aud: 'rows' }
    assert.equal(await authenticate(asking(await signed(good, key, 'HS256'))), 'ada')
    const { exp: _, ...endless } = good
    const { sub: __, ...nameless } = good
    for (const claims of [
      { ...good, exp: exp - 1_200 },
      { ...good, iss: 'them' },
      { ...good, aud: 'mail' },
      { ...good, sub: 7 },
      endless,
      nameless,
    ])
      await assert.rejects(async () => authenticate(asking(await signed(claims, key, 'HS256'))))
    await assert.rejects(async () =>
      authenticate(asking(await signed(good, Buffer.from(`${secret}, almost`), 'HS256'))),
    )
    const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(JSON.stringify(good)).toString('base64url')}.`
    await assert.rejects(async () => authenticate(asking(unsigned)))
    await assert.rejects(async () => authenticate(asking('no token')))
  })

  it('by token, RS256: from a public key or a key set, never with the public key as a secret', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 })
    const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
    const jwks = JSON.stringify({
      keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'RS256' }],
    })
    const exp = Math.floor(systemClock.now() / 1_000) + 600
    const claims = { email: 'ada@example.org', exp }
    for (const [name, text] of [
      ['key.pem', pem],
      ['jwks.json', jwks],
    ] as const) {
      const jwtKeyFile = await keyFile(name, text)
      const authenticate = await authenticator({ auth: 'jwt', jwtKeyFile, jwtUserClaim: 'email' })
      const token = await signed(claims, privateKey, 'RS256', 'one')
      assert.equal(await authenticate(asking(token)), 'ada@example.org')
      const confused = await signed(claims, Buffer.from(text.trim()), 'HS256', 'one')
      await assert.rejects(async () => authenticate(asking(confused)))
    }
  })

  it('by token without a key that can be used: refused at the start, by name', async () => {
    await assert.rejects(authenticator({ auth: 'jwt' }), isInvalid(/^rows\.jwtKeyFile is missing/))
    for (const [name, text] of [
      ['short', 'too short'],
      ['broken.json', '{"keys": 1}'],
      ['broken.pem', '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----'],
    ] as const) {
      const jwtKeyFile = await keyFile(name, text)
      await assert.rejects(
        authenticator({ auth: 'jwt', jwtKeyFile }),
        isInvalid(/^rows\.jwtKeyFile: .*cannot be used/),
      )
    }
    await assert.rejects(
      authenticator({ auth: 'jwt', jwtKeyFile: join(directory, 'none') }),
      isInvalid(/cannot be used/),
    )
  })
})
