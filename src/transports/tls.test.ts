import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import type { ServerOptions } from 'node:https'
import { createServer } from 'node:net'
import { before, describe, it } from 'node:test'
import { certificate, type Issued } from '../../test/helpers/certificates.ts'
import { temporaryFolder } from '../../test/helpers/temporary-folder.ts'
import { tlsRelay } from '../../test/helpers/tls-relay.ts'
import { failure, listening, never } from '../../test/helpers/ws-line.ts'
import type { TlsSettings } from '../kernel/peer.ts'
import { SyncError } from '../kernel/sync-error.ts'
import { readDocument } from './document.ts'
import { createWsTransport } from './ws.ts'
import { connectionError } from './ws-error.ts'

let root: Issued
let middle: Issued
let leaf: Issued
let stranger: Issued

before(async () => {
  root = await certificate({ name: 'root' })
  middle = await certificate({ name: 'middle', issuer: root })
  leaf = await certificate({ name: 'relay', issuer: middle, hosts: ['relay.test', '127.0.0.1'] })
  stranger = await certificate({ name: 'stranger' })
})

/** A relay with `server`, reached both ways under `tls`; the CA file is the root's unless said otherwise. */
async function world(server: ServerOptions = {}, caPem?: string) {
  const folder = await temporaryFolder()
  const ca = folder.join('ca.pem')
  await writeFile(ca, caPem ?? root.cert)
  const relay = await tlsRelay({ cert: leaf.cert + middle.cert, key: leaf.key, ...server })
  const transport = createWsTransport()
  const address = (tls: TlsSettings = {}, host = '127.0.0.1') => ({
    transport: 'ws',
    value: `wss://${host}:${relay.port}/`,
    tls: { caCertFile: ca, ...tls },
  })
  return {
    folder,
    ca,
    relay,
    async dial(tls?: TlsSettings, host?: string): Promise<void> {
      await using _channel = await transport.dial(address(tls, host), { protocol: 'nostr', signal: never })
    },
    read: (tls?: TlsSettings, host?: string): Promise<string> =>
      readDocument(address(tls, host), { accept: 'application/nostr+json', maxBytes: 1_000, signal: never }),
    async [Symbol.asyncDispose]() {
      await transport[Symbol.asyncDispose]()
      await relay[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
    },
  }
}

type World = Awaited<ReturnType<typeof world>>

/** Both ways work. */
async function accepted(at: World, tls?: TlsSettings, host?: string): Promise<void> {
  await at.dial(tls, host)
  assert.equal(await at.read(tls, host), '{}')
}

/** Both ways fail with the same code and like `pattern`, and nothing of ours has reached the server. */
async function refused(
  at: World,
  pattern: RegExp,
  tls?: TlsSettings,
  { code = 'peer/rejected', host = '127.0.0.1' } = {},
): Promise<void> {
  for (const way of [at.dial, at.read]) {
    const error = await failure(way(tls, host))
    assert.match(error.message, pattern)
    assert.equal(error.code, code)
    assert.equal(error.retry, 'slowly')
  }
  assert.deepEqual(await at.relay.received(), { requests: 0, bytes: 0 })
}

describe('TLS: who vouches for a peer', () => {
  it('E-38 a certificate of an unknown authority is refused', async () => {
    await using at = await world({}, stranger.cert)
    await refused(at, /not trusted/)
  })

  it('E-38 with its authority in the CA file it is accepted', async () => {
    await using at = await world()
    await accepted(at)
    const { requests, bytes } = await at.relay.received()
    assert.equal(requests, 2)
    assert.ok(bytes > 100, `${bytes} bytes`)
  })

  it('a self-signed certificate is accepted when it is the CA file itself, and refused otherwise', async () => {
    const own = await certificate({ name: 'own', hosts: ['127.0.0.1'] })
    await using at = await world({ cert: own.cert, key: own.key }, own.cert)
    await accepted(at)
    await writeFile(at.ca, root.cert)
    const error = await failure(at.dial())
    assert.match(error.message, /not trusted/)
  })

  it('an expired certificate is refused as such', async () => {
    const old = await certificate({ name: 'old', issuer: root, hosts: ['127.0.0.1'], expires: -1 })
    await using at = await world({ cert: old.cert, key: old.key })
    await refused(at, /has expired/, { pins: [old.pin] })
  })

  it('a new authority or a new pin counts from the next connection on', async () => {
    await using at = await world()
    await accepted(at, { pins: [leaf.pin] })
    const next = await certificate({ name: 'next', issuer: stranger, hosts: ['127.0.0.1'] })
    at.relay.server.setSecureContext({ cert: next.cert, key: next.key })
    assert.match((await failure(at.dial())).message, /not trusted/)
    await writeFile(at.ca, stranger.cert)
    await accepted(at)
    assert.match((await failure(at.dial({ pins: [leaf.pin] }))).message, /pin mismatch/)
    await accepted(at, { pins: [leaf.pin, next.pin] })
  })
})

describe('TLS: pins', () => {
  it('E-39 E-42 the pin of the certificate, of what issued it and of the root each pass', async () => {
    await using at = await world()
    for (const { pin } of [leaf, middle, root]) await accepted(at, { pins: [stranger.pin, pin] })
  })

  it('E-39 E-42 a wrong pin fails before a byte of ours reaches the server', async () => {
    await using at = await world()
    await refused(at, /pin mismatch/, { pins: [stranger.pin] })
  })

  it('pins are checked on every connection, also right after one that passed', async () => {
    await using at = await world()
    await accepted(at, { pins: [leaf.pin] })
    assert.match((await failure(at.dial({ pins: [stranger.pin] }))).message, /pin mismatch/)
    assert.match((await failure(at.read({ pins: [stranger.pin] }))).message, /pin mismatch/)
  })

  it('a right pin does not make up for an untrusted chain', async () => {
    await using at = await world({}, stranger.cert)
    await refused(at, /not trusted/, { pins: [leaf.pin, root.pin] })
  })

  it('a certificate sent along with a pinned key that signed nothing does not pass', async () => {
    // Named like the issuer and carrying the pinned public key, which anybody can copy.
    const decoy = await certificate({
      name: 'root',
      issuer: stranger,
      publicKey: stranger.keys.publicKey,
    })
    const direct = await certificate({ name: 'relay', issuer: root, hosts: ['127.0.0.1'] })
    await using at = await world({ cert: direct.cert + decoy.cert + stranger.cert, key: direct.key })
    await accepted(at, { pins: [direct.pin] })
    assert.match((await failure(at.dial({ pins: [stranger.pin] }))).message, /pin mismatch/)
  })
})

describe('TLS: names', () => {
  it('E-40 a certificate for another name is refused, its pin notwithstanding', async () => {
    const other = await certificate({ name: 'other', issuer: root, hosts: ['other.test'] })
    await using at = await world({ cert: other.cert, key: other.key })
    await refused(at, /another host name/, { pins: [other.pin] })
    await refused(at, /another host name/, { pins: [other.pin], hostname: 'relay.test' })
  })

  it('E-40 the TLS host name is the one asked for and checked', async () => {
    const named = await certificate({ name: 'named', issuer: root, hosts: ['named.test'] })
    await using at = await world({ cert: named.cert, key: named.key })
    await accepted(at, { hostname: 'named.test' })
    assert.deepEqual(at.relay.serverNames, ['named.test', 'named.test'])
  })

  it('an IP address is checked and is never asked for by SNI', async () => {
    await using at = await world()
    await accepted(at)
    await accepted(at, { hostname: '127.0.0.1' }, 'localhost')
    assert.deepEqual(at.relay.serverNames, [false, false, false, false])
    assert.match((await failure(at.dial({ hostname: '127.0.0.2' }))).message, /another host name/)
  })
})

describe('TLS: our certificate', () => {
  it('E-41 a server that demands one accepts us with it and refuses us without', async () => {
    const ours = await certificate({ name: 'us', issuer: root, hosts: ['us.test'] })
    await using at = await world({ requestCert: true, rejectUnauthorized: true, ca: root.cert })
    const files = { clientCertFile: at.folder.join('us.pem'), clientKeyFile: at.folder.join('us.key') }
    await writeFile(files.clientCertFile, ours.cert)
    await writeFile(files.clientKeyFile, ours.key)
    await accepted(at, files)
    await assert.rejects(at.dial(), SyncError)
    await assert.rejects(at.read())
  })

  for (const code of [
    'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
    'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA',
    'ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE',
  ])
    it(`E-41 ${code} says that our certificate was refused`, () => {
      const error = connectionError('wss://a/', Object.assign(new Error('alert'), { code }), 1)
      assert.equal(error.code, 'peer/rejected')
      assert.match(error.message, /refuses our client certificate/)
    })
})

describe('TLS: files and handshakes that fail', () => {
  it('a server that speaks no TLS is told as such, in one line', () => {
    const code = 'ERR_SSL_WRONG_VERSION_NUMBER'
    const native = Object.assign(new Error('40C31A7E:error:0A00010B:SSL routines:tls_any.c:78:\n'), { code })
    const { message } = connectionError('wss://a/', native, 1)
    assert.match(message, /^wss:\/\/a\/: no TLS is spoken there; .*\(ERR_SSL_WRONG_VERSION_NUMBER\)$/)
  })

  it('files that cannot be used are config/invalid and name the setting', async () => {
    await using at = await world()
    const nonsense = at.folder.join('nonsense.pem')
    const cert = at.folder.join('cert.pem')
    const key = at.folder.join('other.key')
    await writeFile(nonsense, 'no certificate')
    await writeFile(cert, leaf.cert)
    await writeFile(key, stranger.key)
    const code = 'config/invalid'
    await refused(
      at,
      /tls\.caCertFile: .*missing\.pem/,
      { caCertFile: at.folder.join('missing.pem') },
      { code },
    )
    await refused(at, /tls\.caCertFile: .*nonsense\.pem/, { caCertFile: nonsense }, { code })
    await refused(at, /tls\.clientCertFile/, { clientCertFile: nonsense, clientKeyFile: key }, { code })
    await refused(at, /tls\.clientKeyFile/, { clientCertFile: cert, clientKeyFile: key }, { code })
    await refused(at, /tls\.clientKeyFile/, { clientCertFile: cert, clientKeyFile: nonsense }, { code })
  })

  it('TLS settings for an address without TLS are refused, not ignored', async () => {
    await using transport = createWsTransport()
    const address = { transport: 'ws', value: 'ws://127.0.0.1:1/', tls: { pins: [leaf.pin] } }
    const error = await failure(transport.dial(address, { protocol: 'nostr', signal: never }))
    assert.equal(error.code, 'config/invalid')
  })

  it('a dial that is given up in the middle of a handshake leaves no socket behind', async () => {
    const silent = createServer()
    await using address = await listening(silent)
    await using transport = createWsTransport()
    const stop = new AbortController()
    const value = address.url.replace('ws:', 'wss:')
    const dialled = transport.dial({ transport: 'ws', value }, { protocol: 'nostr', signal: stop.signal })
    const [socket] = await once(silent, 'connection')
    await once(
      socket.on('error', () => {}),
      'data',
    )
    const closed = once(socket, 'close')
    stop.abort(new SyncError('peer/unreachable', 'given up'))
    assert.match((await failure(dialled)).message, /given up/)
    await closed
  })
})
