import assert from 'node:assert/strict'
import { stat } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { loadConfig } from '../../src/config/load.ts'
import { silentLogger } from '../../src/kernel/logger.ts'
import { openNode } from '../../src/node/create-node.ts'
import { formatTicket, parseTicket } from '../../src/planes/documents/index.ts'
import { callCommand, startCommand } from '../helpers/command.ts'
import { seededRandom } from '../helpers/document-simulation.ts'
import { DocumentsPeer, freeUdpPort } from '../helpers/documents-peer.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

interface Ticket {
  readonly ticket: string
  readonly addresses: readonly string[]
}

interface Summary {
  readonly id: string
  readonly state: string
  readonly permission: string | null
}

interface Ways {
  /** Flags of a node that others can dial. */
  flags(): Promise<readonly string[]>
  /** Flags of one that only dials. */
  dialling(): Promise<readonly string[]>
  readonly type: string
}

const often = ['--documents-interval-seconds', '1']
const irohFlags = async () => {
  const bind = `127.0.0.1:${await freeUdpPort()}`
  return ['--documents-iroh', '--documents-iroh-relays', 'false', '--documents-iroh-bind', bind]
}

const ways: Readonly<Record<string, Ways>> = {
  HTTP: {
    type: 'http',
    flags: async () => ['--documents', ...often],
    dialling: async () => often,
  },
  'Iroh, without relays': {
    type: 'iroh',
    flags: async () => ['--documents', ...often, ...(await irohFlags())],
    dialling: async () => [...often, ...(await irohFlags())],
  },
}

/** The ticket with only the addresses of one kind, so that nothing goes another way. */
function only(type: string, { ticket }: Ticket): string {
  const parsed = parseTicket(ticket)
  const addresses = parsed.addresses.filter((address) => address.type === type)
  assert.ok(addresses.length > 0, `${ticket} has an address of ${type}`)
  return formatTicket({ ...parsed, addresses })
}

/** Bytes of the store of a data directory, however they are kept. */
async function storedBytes(data: string): Promise<number> {
  const sizes = ['syncline.db', 'syncline.db-wal'].map((name) =>
    stat(`${data}/${name}`).then(
      ({ size }) => size,
      () => 0,
    ),
  )
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size)
}

/** Lets in whoever asks. */
async function approveAll(peer: DocumentsPeer): Promise<void> {
  const requests = await peer.doc<{ readonly id: string }[]>('requests')
  for (const { id } of requests) await peer.doc('approve', id)
}

for (const [name, way] of Object.entries(ways))
  describe(`two nodes share a database over ${name}`, () => {
    it('D-87 D-88 D-113 by a ticket and with approval; edits of both sides end equal', async () => {
      await using folder = await temporaryFolder()
      await using one = new DocumentsPeer(folder.join('one'), await way.flags())
      await using two = new DocumentsPeer(folder.join('two'), await way.dialling())
      await Promise.all([one.start(), two.start()])
      const { id } = await one.doc<Summary>('create', 'notes')
      await one.doc('set', 'notes', 'main', 'title', '"first"')
      const ticket = only(way.type, await one.doc<Ticket>('ticket', 'notes'))

      assert.equal(await two.refusal('join', ticket), 'document/peer-denied')
      assert.deepEqual(await two.doc('list'), [], 'to be refused leaves nothing behind')
      const asking = ['join', ticket, '--permission', 'write', '--name', 'two', '--message', 'please']
      const pending = await two.doc(...asking)
      assert.equal(pending.status, 'pending')
      assert.equal(
        (await two.doc(...asking)).request,
        pending.request,
        'to ask again makes no second request',
      )
      assert.equal(await two.refusal('get', id, 'main'), 'document/access-pending')
      const [request, ...others] = await one.doc<Record<string, unknown>[]>('requests')
      assert.deepEqual(others, [])
      const { name: asked, permission, message, database_name, status } = request!
      assert.deepEqual(
        { asked, permission, message, database_name, status },
        {
          asked: 'two',
          permission: 'write:10',
          message: 'please',
          database_name: 'notes',
          status: 'pending',
        },
      )
      const waiting = two.doc('join', ticket, '--wait')
      await one.doc('approve', String(request!.id))
      assert.deepEqual(
        { ...(await waiting), peer: '' },
        {
          status: 'joined',
          database: id,
          name: 'notes',
          peer: '',
          entries: 3,
          permission: 'write:10',
          request: null,
        },
      )

      await Promise.all([
        one.doc('set', 'notes', 'main', 'from.one', '{"list":[1,2],"nothing":null}'),
        two.doc('set', 'notes', 'main', 'from.two', '"hello"'),
      ])
      const [link] = await two.doc<Record<string, unknown>[]>('sync', 'notes')
      assert.equal(link!.outcome, 'in-step')
      const state = await one.state('notes', 'main')
      assert.deepEqual(state.value, {
        title: 'first',
        from: { one: { list: [1, 2], nothing: null }, two: 'hello' },
      })
      assert.deepEqual(await two.state('notes', 'main'), state)
      assert.deepEqual(await one.doc('requests'), [])
    })

    it('K1 D-92 killed and restarted at any moment they lose nothing they said was written, and end equal', async () => {
      const random = seededRandom(11)
      await using folder = await temporaryFolder()
      await using one = new DocumentsPeer(folder.join('one'), await way.flags())
      await using two = new DocumentsPeer(folder.join('two'), await way.flags())
      const peers = [one, two] as const
      await Promise.all(peers.map((peer) => peer.start()))
      await one.doc('create', 'notes')
      const ticket = only(way.type, await one.doc<Ticket>('ticket', 'notes'))
      await two.doc('join', ticket, '--permission', 'write')
      await approveAll(one)
      await two.doc('join', ticket, '--wait')
      const written: Record<string, number> = {}
      for (let round = 0; round < 4; round++) {
        const victim = peers[random() < 0.5 ? 0 : 1]
        let dead = false
        const writing = peers.map(async (peer, who) => {
          for (let n = 0; n < 8; n++) {
            const key = `p${who}-${round}-${n}`
            const { code } = await peer.call('set', 'notes', 'main', key, String(n))
            if (code !== 0) return
            written[key] = n
            // One more while its node is dead: the command opens the store itself.
            if (dead && peer === victim) return
          }
        })
        // Somewhere in what takes some hundred milliseconds, with syncs of the changes under way.
        await new Promise((resolve) => setTimeout(resolve, random() * 400))
        await victim.kill()
        dead = true
        await Promise.all(writing)
        await victim.start()
      }
      assert.ok(Object.keys(written).length > 10, 'most writes were done')
      const [link] = await two.doc<Record<string, unknown>[]>('sync', 'notes')
      assert.equal(link!.error, null)
      const state = await one.state('notes', 'main')
      for (const [key, n] of Object.entries(written))
        assert.equal((state.value as Record<string, unknown>)[key], n, `${key} was said to be written`)
      assert.deepEqual(await two.state('notes', 'main'), state)
    })
  })

describe('a join of a large database', () => {
  it('K1 D-86 that is killed goes on where it was, and the database ends equal', async () => {
    const random = seededRandom(5)
    await using folder = await temporaryFolder()
    await using one = new DocumentsPeer(folder.join('one'), ['--documents'])
    {
      const config = await loadConfig({ flags: { data: one.data } })
      await using node = await openNode(config, { log: silentLogger })
      const { id } = await node.documents.create({ name: 'large' })
      // Several pages of two megabytes.
      for (let n = 0; n < 40; n++) {
        const value = `${n}`.padEnd(200_000, 'x')
        await node.documents.write({ database: id, store: 'main', path: `k${n}`, value })
      }
      await node.documents.grant({ database: id, key: 'everybody', permission: 'read' })
    }
    await one.start()
    const { ticket } = await one.doc<Ticket>('ticket', 'large')
    const two = folder.join('two')
    const entries: number[] = []
    for (let life = 0; life < 3; life++) {
      const { child, result } = startCommand(['doc', 'join', ticket, '--data', two, '--json'])
      // In the middle of what it writes: some megabytes more than were there.
      const enough = (await storedBytes(two)) + (0.2 + random()) * 2_000_000
      while (child.exitCode === null && (await storedBytes(two)) < enough) await setImmediate()
      child.kill('SIGKILL')
      await result
      const [known] = JSON.parse((await callCommand(['doc', 'list', '--data', two, '--json'])).stdout)
      entries.push(known?.entries ?? 0)
    }
    assert.deepEqual(
      entries,
      entries.toSorted((a, b) => a - b),
      'nothing that came is lost',
    )
    assert.ok(entries[0]! < 42, `it was killed before the end, not after ${entries[0]} entries`)
    const joined = await callCommand(['doc', 'join', ticket, '--data', two, '--json'])
    assert.equal(joined.code, 0, joined.stderr)
    const there = new DocumentsPeer(two)
    assert.deepEqual(await there.state('large', 'main'), await one.state('large', 'main'))
    assert.equal((await there.doc<Summary>('show', 'large')).permission, 'read')
  })

  it('is given up by the running node when its command is interrupted, and waits again when it is asked to', async () => {
    await using folder = await temporaryFolder()
    await using one = new DocumentsPeer(folder.join('one'), ['--documents'])
    await using two = new DocumentsPeer(folder.join('two'))
    await Promise.all([one.start(), two.start()])
    await one.doc('create', 'notes')
    const { ticket } = await one.doc<Ticket>('ticket', 'notes')
    const asking = ['doc', 'join', ticket, '--permission', 'read', '--wait', '--data', two.data, '--json']
    const { child, result } = startCommand(asking)
    while ((await one.doc<unknown[]>('requests')).length === 0);
    child.kill('SIGINT')
    const { code, stdout } = await result
    assert.deepEqual([code, stdout], [1, ''])
    const { awaited, state } = await two.doc('show', parseTicket(ticket).database)
    assert.equal(state, 'awaited')
    assert.equal((awaited as { readonly permission: string }).permission, 'read')
    const again = startCommand(asking)
    await approveAll(one)
    assert.equal((await again.result).code, 0)
    assert.equal((await one.doc<unknown[]>('requests', '--status', 'all')).length, 1)
    assert.equal((await two.doc('show', 'notes')).awaited, null)
  })
})
