import assert from 'node:assert/strict'
import { it } from 'node:test'
import { parseServersFile } from './servers-file.ts'

const parse = (content: unknown) => parseServersFile(JSON.stringify(content)).entries
const cursor = { created_at: 1_700_000_000, event_id: 'cd'.repeat(32) }
const runtime = { state: 'running', cursor_created_at: cursor.created_at, cursor_event_id: cursor.event_id }

it('one definition and a list of them are taken as they stand', () => {
  const server = { id: 'a', url: 'wss://a' }
  assert.deepEqual(parse(server), [{ input: server, cursor: null }])
  assert.deepEqual(parse([server, 7]), [
    { input: server, cursor: null },
    { input: 7, cursor: null },
  ])
})

it('E-21 a file of version 2 gives every server with its cursor; what was stopped stays stopped', () => {
  const servers = {
    a: { id: 'a', url: 'wss://a', 'enabled?': false },
    b: { url: 'wss://b', enabled: true },
    c: { id: 'c', url: 'wss://c', 'enabled?': false },
  }
  const junk = { state: 'confused', cursor_created_at: 'x', cursor_event_id: 1 }
  const states = { a: runtime, b: { ...runtime, state: 'stopped' }, c: junk }
  assert.deepEqual(parse({ version: 2, servers, runtime: states }), [
    { input: { id: 'a', url: 'wss://a', 'enabled?': true }, cursor },
    { input: { id: 'b', url: 'wss://b', 'enabled?': false }, cursor },
    { input: servers.c, cursor: null },
  ])
  assert.deepEqual(parse({ version: 2, servers: { a: servers.a } }), [{ input: servers.a, cursor: null }])
})

it('the runtime a listing shows is no part of the definition', () => {
  assert.deepEqual(parse([{ id: 'a', 'enabled?': true, runtime: { ...runtime, state: 'stopped' } }]), [
    { input: { id: 'a', 'enabled?': false }, cursor },
  ])
})

it('anything else is refused and says why', () => {
  const wrong: [string, RegExp][] = [
    ['{', /JSON/],
    ['7', /neither an object nor a list/],
    ['{"version":9,"servers":{}}', /only the versions 2 and 3/],
    ['{"version":2,"servers":[]}', /"servers" must be an object/],
  ]
  for (const [text, message] of wrong)
    assert.throws(() => parseServersFile(text), { code: 'config/invalid', message })
})
