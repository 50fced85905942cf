import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import type { Server } from '../../src/node/sync-control.ts'
import { certificate } from '../helpers/certificates.ts'
import { callCommand } from '../helpers/command.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { tlsRelay } from '../helpers/tls-relay.ts'

/** What of the TLS settings is not a default. */
function tlsOf(text: string) {
  const { tls } = JSON.parse(text) as Pick<Server, 'tls'>
  const { hostname, pins, ca_certfile, client_certfile, client_keyfile } = tls
  return { hostname, pins: pins.map(({ value }) => value), ca_certfile, client_certfile, client_keyfile }
}

test('TLS settings of a relay are given by flags, shown, changed one by one, and dropped', async () => {
  await using folder = await temporaryFolder()
  const root = await certificate({ name: 'root' })
  const us = await certificate({ name: 'us', issuer: root, hosts: ['us.test'] })
  const [ca, cert, key] = ['ca.pem', 'us.pem', 'us.key'].map((name) => folder.join(name)) as [
    string,
    string,
    string,
  ]
  await writeFile(ca, root.cert)
  await writeFile(cert, us.cert)
  await writeFile(key, us.key)
  const url = 'wss://relay.test/'
  const relay = async (verb: string, ...flags: string[]) => {
    const args = ['relay', verb, url, '--json', '--data', folder.join('data'), ...flags]
    const { code, stdout, stderr } = await callCommand(args)
    assert.equal(code, 0, stderr)
    return tlsOf(stdout)
  }
  const material = ['--client-cert', cert, '--client-key', key]
  await relay('add', '--ca-file', ca, ...material, '--pin', root.pin, '--pin', us.pin)
  const tls = {
    hostname: 'relay.test',
    pins: [root.pin, us.pin],
    ca_certfile: ca,
    client_certfile: cert,
    client_keyfile: key,
  }
  const none = {
    hostname: 'relay.test',
    pins: [],
    ca_certfile: null,
    client_certfile: null,
    client_keyfile: null,
  }
  assert.deepEqual(await relay('show'), tls)
  assert.deepEqual(await relay('set', '--name', 'r'), tls)
  await relay('set', '--tls-hostname', 'inner.test', '--pin', us.pin)
  assert.deepEqual(await relay('show'), { ...tls, hostname: 'inner.test', pins: [us.pin] })
  assert.deepEqual(await relay('set', '--tls-default'), none)
  assert.deepEqual(await relay('show'), none)
})

test('the pins of a relay outlive a definition of it that is imported later', async () => {
  await using folder = await temporaryFolder()
  const url = 'wss://relay.test/'
  const pins = [Buffer.alloc(32).toString('base64')]
  const data = ['--json', '--data', folder.join('data')]
  await callCommand(['relay', 'add', url, '--pin', pins.join(), ...data])
  const file = folder.join('relays.json')
  await writeFile(file, JSON.stringify([{ url, notes: 'new' }]))
  const { code, stderr } = await callCommand(['relay', 'import', file, '--profile', 'open', ...data])
  assert.equal(code, 0, stderr)
  const shown = JSON.parse((await callCommand(['relay', 'show', url, ...data])).stdout)
  assert.deepEqual([shown.notes, shown.url], ['new', url])
  assert.deepEqual(tlsOf(JSON.stringify(shown)).pins, pins)
})

test('TLS settings that cannot work are refused by name and nothing is stored', async () => {
  await using folder = await temporaryFolder()
  const relay = (verb: string, ...args: string[]) =>
    callCommand(['relay', verb, ...args, '--data', folder.join('data')])
  const pin = Buffer.alloc(32).toString('base64')
  const missing = folder.join('missing.pem')
  const cases: readonly [string[], RegExp][] = [
    [['wss://a/', '--pin', 'abc'], /tls\.pins\[0\]/],
    [['wss://a/', '--pin', pin, '--pin', pin.replace('=', '')], /tls\.pins\[1\]/],
    [['wss://a/', '--tls-hostname', ''], /tls\.hostname/],
    [['wss://a/', '--client-cert', missing], /tls\.client_keyfile/],
    [['wss://a/', '--client-key', missing], /tls\.client_certfile/],
    [['wss://a/', '--ca-file', missing], /tls\.ca_certfile.*missing\.pem/],
    [['ws://a/', '--pin', pin], /wss:\/\//],
  ]
  for (const [args, pattern] of cases) {
    const { code, stderr } = await relay('add', ...args)
    assert.notEqual(code, 0, args.join(' '))
    assert.match(stderr, pattern)
  }
  const { stdout } = await relay('list', '--json')
  assert.deepEqual(JSON.parse(stdout), [])
})

test('E-39 E-42 a sync with a relay of another key fails for its pin and asks it nothing', async () => {
  await using folder = await temporaryFolder()
  const root = await certificate({ name: 'root' })
  const leaf = await certificate({ name: 'relay', issuer: root, hosts: ['localhost'] })
  const other = await certificate({ name: 'other' })
  await using server = await tlsRelay({ cert: leaf.cert, key: leaf.key })
  const ca = folder.join('ca.pem')
  await writeFile(ca, root.cert)
  const url = `wss://localhost:${server.port}/`
  const data = ['--data', folder.join('data')]
  const added = await callCommand(['relay', 'add', url, '--ca-file', ca, '--pin', other.pin, ...data])
  assert.equal(added.code, 0, added.stderr)
  const { code, stdout, stderr } = await callCommand(['sync', url, ...data])
  assert.equal(code, 1)
  assert.match(stdout + stderr, /pin mismatch/)
  assert.deepEqual(await server.received(), { requests: 0, bytes: 0 })
})
