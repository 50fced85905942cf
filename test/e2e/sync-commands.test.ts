import assert from 'node:assert/strict'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import { generateSecretKey } from '../../src/planes/events/signer.ts'
import { callCommand, runCommand } from '../helpers/command.ts'
import { realEvents } from '../helpers/real-events.ts'
import { startNode } from '../helpers/running-node.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const nobody = 'ws://127.0.0.1:1'

function commands(data: string) {
  const run = (...args: string[]) => callCommand([...args, '--data', data])
  const json = async (...args: string[]) => {
    const { code, stdout, stderr } = await run(...args, '--json')
    assert.equal(code, 0, stderr)
    return JSON.parse(stdout)
  }
  return { run, json }
}

test('E-108 relays, status, config and key work on an empty store', { timeout: 180_000 }, async () => {
  await using folder = await temporaryFolder()
  const { run, json } = commands(folder.path)
  const status = await json('status')
  assert.deepEqual([status.relays, status.health.status], [[], 'ok'])
  assert.match((await run('status')).stdout, /^Not running\.\n0 events in .*\nNo relays yet; add one with/)
  assert.deepEqual((await json('relays')).relays, [])
  assert.match((await run('relays')).stdout, /No relays yet/)
  assert.deepEqual(await json('relay', 'list'), [])
  assert.deepEqual(await json('key', 'list'), [])
  assert.match((await run('key', 'list')).stdout, /No keys yet/)
  assert.equal((await json('config')).admin.port, 7780)
  assert.deepEqual(await json('recover'), { recovered_stale: 0, retried_errors: 0 })
  assert.deepEqual((await json('trigger')).dispatched, [])
  assert.deepEqual(await json('acl', 'list'), [])
  assert.deepEqual(await json('reset', '--yes'), { reset: 0 })
})

test('E-108 wrong words end with 2, unknown relays with 1, unreachable ones with 4', {
  timeout: 180_000,
}, async () => {
  await using folder = await temporaryFolder()
  const { run } = commands(folder.path)
  const codes: readonly [number, ...string[]][] = [
    [2, 'trigger', 'sideways'],
    [2, 'relay', 'start'],
    [2, 'key', 'create', 'x', '--scope', 'root'],
    [2, 'key', 'create', 'x', '--expires', 'yesterday'],
    [2, 'acl', 'grant', 'ab', 'fly'],
    [1, 'status', nobody],
    [1, 'relay', 'stop', nobody],
    [1, 'trigger', 'full', nobody],
    [1, 'key', 'revoke', 'rlk_none'],
    [4, 'sync', nobody],
  ]
  for (const [expected, ...args] of codes) {
    const { code, stderr } = await run(...args)
    assert.equal(code, expected, `${args.join(' ')}: ${stderr}`)
    assert.ok(stderr.length > 0)
  }
})

test('E-108 keys are made, listed and revoked; the token opens the admin API', {
  timeout: 180_000,
}, async () => {
  await using folder = await temporaryFolder()
  await using node = await startNode(folder.path)
  const { run, json } = commands(folder.path)
  const { stdout, stderr } = await run('key', 'create')
  const token = stdout.trim()
  assert.match(token, /^rlk_[A-Za-z0-9_-]{43}$/)
  assert.match(stderr, /Admin Key.*cannot be shown again/)
  const ask = async () => {
    const headers = { authorization: `Bearer ${token}` }
    return (await fetch(`${node.admin}/api/v1/status`, { headers })).status
  }
  assert.equal(await ask(), 200)
  assert.match(
    (await run('key', 'list')).stdout,
    new RegExp(`^${token.slice(0, 8)}…  Admin Key  admin  active, last used 2`),
  )
  const brief = await json('key', 'create', 'Brief', '--scope', 'read', '--expires', '30d')
  assert.deepEqual(brief.scopes, ['read'])
  assert.ok(Date.parse(brief.expires_at) > Date.now())
  assert.equal((await json('key', 'revoke', token.slice(0, 8))).name, 'Admin Key')
  assert.equal(await ask(), 401)
  assert.match((await run('key', 'list')).stdout, /Admin Key {2}admin {2}revoked/)
  assert.equal((await stat(folder.join('api-key.secret'))).mode & 0o777, 0o600)
})

test('E-108 a filled store: relays are seen, stopped, started, triggered and moved to another node', {
  timeout: 240_000,
}, async () => {
  await using folder = await temporaryFolder()
  const input = realEvents.slice(0, 30).join('\n')
  await callCommand(['import', '--data', folder.join('source')], input)
  await using source = await startNode(folder.join('source'))
  const { run, json } = commands(folder.join('mine'))
  await json('relay', 'add', source.url, '--dir', 'down', '--every', '1h')
  await json('relay', 'add', nobody, '--dir', 'both', '--disable')
  assert.match((await run('status', source.url)).stdout, /: not tried yet/)

  const report = await json('trigger', 'backfill')
  assert.equal(report.mode, 'backfill')
  assert.equal(report.dispatched.length, 1)
  assert.deepEqual(
    report.skipped.map(({ reason }: { reason: string }) => reason),
    ['relay_disabled'],
  )
  const text = (await run('status')).stdout
  assert.match(text, /: caught up, last sync .* ago/)
  assert.match(text, /down everything: complete .*; 30 down/)
  assert.match(text, /In step: 30 events here and there/)
  assert.match(text, /: disabled; "syncline relay set/)
  const [run0] = await json('relay', 'runs', source.url)
  assert.equal(run0.outcome, 'caught-up')

  assert.match((await run('relay', 'stop', source.url)).stdout, /^Stopped/)
  assert.match((await run('status', source.url)).stdout, /: stopped; "syncline relay start/)
  assert.equal((await json('trigger', 'realtime', source.url)).skipped[0].reason, 'stopped')
  assert.match((await run('relay', 'start', source.url)).stdout, /^Started/)
  assert.match((await run('relay', 'sync', source.url, '--mode', 'full')).stdout, /^Started full: ws:/)
  assert.match((await run('relay', 'dead-letters', source.url)).stdout, /^None\.$/m)
  const relays = await run('relays')
  assert.match(relays.stdout, /^\[ON\] ws:.* down, /m)
  assert.match(relays.stdout, /^\[--\] ws:\/\/127\.0\.0\.1:1.* both, /m)
  assert.match(relays.stdout, /^2 relays, 1 enabled: 1 download, 0 upload, /m)

  const file = folder.join('relays.json')
  await run('relay', 'export', file)
  assert.equal((await stat(file)).mode & 0o777, 0o600)
  const second = commands(folder.join('second'))
  const imported = await second.run('relay', 'import', file, '--json')
  assert.equal(imported.code, 0, imported.stderr)
  const definitions = async (of: typeof second) =>
    (await of.json('relays')).relays.map(
      ({ runtime: _, ...definition }: Record<string, unknown>) => definition,
    )
  assert.deepEqual(
    await definitions(second),
    await definitions({ run, json }),
    'export and import lose nothing',
  )
})

test('a running node does what the commands say, and writes down who changed what', {
  timeout: 180_000,
}, async () => {
  await using folder = await temporaryFolder()
  await using node = await startNode(folder.path)
  const { run, json } = commands(folder.path)
  await json('relay', 'add', nobody)
  for (;;) {
    const { stdout } = await run('status')
    if (/waiting after .*, tries again /.test(stdout)) {
      assert.match(stdout, /^Running, relay on ws:/)
      assert.match(stdout, /\[peer\/unreachable\]/)
      break
    }
  }
  assert.equal((await json('recover')).recovered_stale, 0)
  const { token } = await json('key', 'create', 'auditor')
  const headers = { authorization: `Bearer ${token}` }
  const log = await (await fetch(`${node.admin}/api/v1/audit_log`, { headers })).text()
  const records = JSON.parse(log) as { actor: string; method: string }[]
  assert.deepEqual(
    records.map(({ actor, method }) => [actor, method]),
    [
      ['local', 'keys.create'],
      ['local', 'sync.recover'],
      ['local', 'sync.createRelay'],
    ],
  )
  assert.ok(!log.includes(token))
})

test('identity: shown, imported from a file, rotated after asking; the node goes by it at once', {
  timeout: 180_000,
}, async () => {
  await using folder = await temporaryFolder()
  await using node = await startNode(folder.path)
  const { run, json } = commands(folder.path)
  const self = async () => {
    const headers = { accept: 'application/nostr+json' }
    return ((await (await fetch(node.url.replace('ws', 'http'), { headers })).json()) as { self: string })
      .self
  }
  const { pubkey, source } = await json('identity', 'show')
  assert.equal(source, 'generated')
  assert.equal(await self(), pubkey)
  const secret = generateSecretKey()
  await writeFile(folder.join('key'), `${secret}\n`)
  const imported = await json('identity', 'import', folder.join('key'))
  assert.equal(imported.source, 'imported')
  assert.equal(await self(), imported.pubkey)
  assert.equal((await readFile(folder.join('identity.key'), 'utf8')).trim(), secret)
  assert.match(
    (await runCommand(['identity', 'rotate', '--data', folder.path], 'n\n')).stdout,
    /Nothing was changed/,
  )
  const rotated = await json('identity', 'rotate', '--yes')
  assert.notEqual(rotated.pubkey, imported.pubkey)
  assert.equal(await self(), rotated.pubkey)
  const { token } = await json('key', 'create', 'auditor')
  const brief = await json('key', 'create', 'brief')
  await json('key', 'revoke', brief.token)
  const headers = { authorization: `Bearer ${token}` }
  const log = await (await fetch(`${node.admin}/api/v1/audit_log`, { headers })).text()
  assert.match(log, /identityControl\.import/)
  for (const hidden of [secret, token, brief.token])
    assert.ok(!log.includes(hidden), 'a secret is in the audit log')
  await writeFile(folder.join('key'), 'nonsense')
  const bad = await run('identity', 'import', folder.join('key'))
  assert.equal(bad.code, 1)
  assert.match(bad.stderr, /64 hex digits or nsec1/)
})

test('access: granted, listed and revoked', { timeout: 120_000 }, async () => {
  await using folder = await temporaryFolder()
  const { run, json } = commands(folder.path)
  const who = 'ab'.repeat(32)
  await json('acl', 'grant', who, 'sync_read', '--filter', '{"kinds":[5000]}')
  assert.equal((await run('acl', 'list')).stdout, `${who}  sync_read  {"kinds":[5000]}\n`)
  assert.deepEqual(await json('acl', 'list', '--capability', 'sync_write'), [])
  assert.equal((await run('acl', 'revoke', who, 'sync_read')).code, 1, 'another filter is another grant')
  await json('acl', 'revoke', who, 'sync_read', '--filter', '{"kinds":[5000]}')
  assert.deepEqual(await json('acl', 'list'), [])
})
