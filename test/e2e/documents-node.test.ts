import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile, rename, stat, writeFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { pathToFileURL } from 'node:url'
import { type DatabaseId, KeyPair, parseTicket, Sync } from '../../src/planes/documents/index.ts'
import { httpTransport } from '../../src/planes/documents/sync/transport/http-transport.ts'
import { callCommand, startCommand } from '../helpers/command.ts'
import { newInstance } from '../helpers/document-world.ts'
import { DocumentsPeer } from '../helpers/documents-peer.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

interface Ticket {
  readonly ticket: string
}

async function statusText(data: string): Promise<string> {
  const { code, stdout, stderr } = await callCommand(['status', '--data', data])
  assert.equal(code, 0, stderr)
  return stdout
}

const ready = async (peer: DocumentsPeer) => (await fetch(`${peer.node.admin}/health/ready`)).json()
const metrics = async (peer: DocumentsPeer) => (await fetch(`${peer.node.admin}/metrics`)).text()

describe('the documents of a node', () => {
  it('are told of in status, metrics and readiness, and not at all where there are none', async () => {
    await using folder = await temporaryFolder()
    await using one = new DocumentsPeer(folder.join('one'), ['--documents'])
    await using two = new DocumentsPeer(folder.join('two'))
    await Promise.all([one.start(), two.start()])
    assert.deepEqual(await ready(two), { status: 'ready', store: true, relay: true })
    assert.doesNotMatch(await metrics(two), /^syncline_documents_/m)
    assert.doesNotMatch(await statusText(two.data), /Documents/)
    assert.deepEqual(await two.doc('list'), [])
    assert.equal(
      (await fetch(`${two.http}/api/v0`, { method: 'POST' })).status,
      404,
      'nobody is served unasked',
    )
    await assert.rejects(stat(`${two.data}/documents.key`), { code: 'ENOENT' }, 'to ask makes no key')

    assert.deepEqual(await ready(one), { status: 'ready', store: true, relay: true, documents: true })
    await one.doc('create', 'notes')
    await one.doc('set', 'notes', 'main', 'a', '1')
    const { ticket } = await one.doc<Ticket>('ticket', 'notes')
    await two.doc('join', ticket, '--permission', 'write', '--name', 'two')
    assert.match(
      await statusText(one.data),
      /1 database \(1 shared\), 2 entries; 0 peers, .*\n {2}1 request for access to decide/,
    )
    assert.match(await statusText(two.data), /1 database joined, and not here yet/)
    assert.match(await metrics(two), /^syncline_documents_databases\{state="awaited"\} 1$/m)
    assert.match(await metrics(two), /^syncline_documents_links_failing 0$/m, 'to wait is no failure')
    const [request] = await one.doc<{ readonly id: string }[]>('requests')
    await one.doc('approve', request!.id)
    await two.doc('join', ticket, '--wait')
    assert.match(
      await statusText(two.data),
      /1 database \(1 shared\), 3 entries; 1 peer, 1 of 1 copy in step\.\n {2}next sync in/,
    )
    const told = await metrics(one)
    assert.match(told, /^syncline_documents_entries\{verification="verified"\} 3$/m)
    assert.match(told, /^syncline_documents_peers 1$/m)
    assert.match(told, /^syncline_documents_requests_answered_total [1-9]\d*$/m)
    assert.match(await metrics(two), /^syncline_documents_sync_entries_total\{way="received"\} 3$/m)
    assert.match(await metrics(two), /^syncline_documents_sync_bytes_total\{side="dialled"\} [1-9]\d+$/m)

    await one.kill()
    const { code, stdout } = await two.call('sync')
    assert.equal(code, 1)
    const [link] = JSON.parse(stdout) as [{ readonly error: { readonly code: string } }]
    assert.equal(link.error.code, 'document/unreachable')
    assert.match(await statusText(two.data), /failed \d+ m?s ago: .*cannot be reached/)
    assert.match(await metrics(two), /^syncline_documents_links_failing 1$/m)
    const [attempt] = await two.doc<{ readonly error: string }[]>('history', 'notes', '--limit', '1')
    assert.match(attempt!.error, /cannot be reached/)
    assert.equal(
      (await two.call('join', ticket)).code,
      4,
      'the exit code says that a peer could not be reached',
    )
  })

  it('keep their key as a secret, and end cleanly at a signal', async () => {
    await using folder = await temporaryFolder()
    const data = folder.join('data')
    const { child, result } = startCommand([
      ...['up', '--data', data, '--port', '0', '--admin-enabled', 'false', '--documents'],
      ...['--documents-iroh', '--documents-iroh-relays', 'false', '--documents-iroh-bind', '127.0.0.1:0'],
    ])
    await once(child.stdout!, 'data')
    assert.equal((await stat(`${data}/documents.key`)).mode & 0o777, 0o600)
    child.kill('SIGTERM')
    const { code, stdout, stderr } = await result
    assert.deepEqual([code, stderr], [0, 'Stopping…\n'])
    assert.match(stdout, /^Documents at http:\/\/127\.0\.0\.1:\d+\/api\/v0, as ed25519:/m)
  })

  it('that cannot be served keep a node that should from starting, and say why in one line', async () => {
    await using folder = await temporaryFolder()
    const data = folder.join('data')
    await callCommand(['doc', 'create', 'notes', '--data', data])
    const start = async (...flags: readonly string[]) => {
      const { code, stderr } = await startCommand([
        ...['up', '--data', data, '--port', '0', '--admin-enabled', 'false', ...flags],
      ]).result
      assert.equal(code, 1)
      assert.equal(stderr.trim().split('\n').length, 1, stderr)
      return stderr
    }
    const key = `${data}/documents.key`
    const text = await readFile(key, 'utf8')
    await rename(key, `${key}.away`)
    assert.match(await start('--documents'), /documents\.key is missing, .* restore it \[config\/invalid\]/)
    await writeFile(key, 'nonsense')
    assert.match(await start('--documents'), /does not hold a secret key .* \[config\/invalid\]/)
    await writeFile(key, KeyPair.generate().exportSecret())
    assert.match(await start('--documents'), /holds another key .* \[config\/invalid\]/)

    // A node that only has some, and other things to do, starts all the same and tells of it.
    await using node = new DocumentsPeer(data)
    await node.start()
    assert.deepEqual(await ready(node), { status: 'unavailable', store: true, relay: true, documents: false })
    assert.match(await statusText(data), /Documents are not in order: .*another key/)
    assert.match(await metrics(node), /^syncline_documents_healthy 0$/m)
    assert.equal(await node.refusal('list'), 'config/invalid')
    await node[Symbol.asyncDispose]()

    await writeFile(key, text)
    const bind = ['--documents', '--documents-iroh', '--documents-iroh-bind']
    assert.match(await start(...bind, '192.0.2.1:1'), /documents\.iroh.*192\.0\.2\.1:1|documents\.irohBind/)
    assert.match(await start(...bind, 'nowhere'), /documents\.irohBind: "nowhere" .* is not allowed/)
  })

  it('need the optional package for Iroh, and say so where it is missing', async () => {
    await using folder = await temporaryFolder()
    const hook = folder.join('missing.mjs')
    await writeFile(
      hook,
      `import { registerHooks } from 'node:module'
       registerHooks({ resolve: (name, context, next) => next(name === '@number0/iroh' ? 'not-installed' : name, context) })`,
    )
    const { code, stderr } = await startCommand(
      ['up', '--data', folder.join('data'), '--port', '0', '--documents', '--documents-iroh'],
      undefined,
      ['--import', pathToFileURL(hook).href],
    ).result
    assert.equal(code, 1)
    assert.match(
      stderr,
      /^syncline: the transport iroh needs .*npm install @number0\/iroh \[config\/invalid\]\n$/,
    )
  })

  it('D-104 D-105 D-106 are to a stranger as if they were not there, unless shared, and closed unless granted', async () => {
    await using folder = await temporaryFolder()
    await using node = new DocumentsPeer(folder.join('data'), ['--documents'])
    await node.start()
    const hidden = await node.doc<{ readonly id: string }>('create', 'hidden')
    await node.doc('create', 'shared')
    const ticket = parseTicket((await node.doc<Ticket>('ticket', 'shared')).ticket)
    await using instance = await newInstance()
    await using sync = await Sync.open(instance)
    await sync.registerTransport('web', httpTransport())
    const peer = await sync.connect(ticket.addresses[0]!)
    const never = (await instance.createDatabase({ key: instance.device })).id
    const wish = { key: instance.device, name: 'x', permission: { type: 'read' } } as const

    const asked = async (database: DatabaseId): Promise<unknown[]> => {
      const ways = [
        () => sync.syncTree(peer, database),
        () => sync.requestAccess({ ...ticket, database }, wish),
      ]
      const answers: unknown[] = []
      for (const way of ways)
        await way().catch(({ code, message }: { code: string; message: string }) =>
          answers.push([code, message.replaceAll(database, 'ID')]),
        )
      return answers
    }
    const nothing = await asked(never)
    assert.equal(nothing.length, 2)
    assert.deepEqual(await asked(hidden.id as DatabaseId), nothing)
    assert.deepEqual(await sync.discoverTrees(peer), [], 'of none it is told that it is there')
    const [denied] = await asked(ticket.database)
    assert.match(String(denied), /document\/peer-denied/)
    assert.deepEqual(await instance.read((view) => view.tips(ticket.database)), [])

    await node.doc('grant', 'shared', 'everybody', 'read')
    await sync.syncTree(peer, ticket.database)
    await node.doc('unshare', 'shared')
    assert.deepEqual(await asked(ticket.database), nothing, 'what is shared no more is not there either')
  })
})
