import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseTicket } from '../../src/planes/documents/index.ts'
import { formatTicket } from '../../src/planes/documents/sync/ticket.ts'
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
      for (let round = 0; round < 5; round++) {
        const victim = peers[random() < 0.5 ? 0 : 1]
        const writing = peers.map(async (peer, who) => {
          for (let n = 0; n < 8; n++) {
            const key = `p${who}-${round}-${n}`
            const { code } = await peer.call('set', 'notes', 'main', key, String(n))
            if (code !== 0) return
            written[key] = n
          }
        })
        // Somewhere in what takes some hundred milliseconds, with syncs of the changes under way.
        await new Promise((resolve) => setTimeout(resolve, random() * 400))
        await victim.kill()
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
