import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { type AttemptEnd, attemptsKept } from '../../src/kernel/attempt-record.ts'
import { observe, unknownHealth } from '../../src/kernel/health.ts'
import { linkId } from '../../src/kernel/link.ts'
import { peerId } from '../../src/kernel/peer.ts'
import { initialRun, step } from '../../src/kernel/run.ts'
import { code, link, peer, type StoreSetup, seed } from './store-setup.ts'

const p = peerId('p')
const l = linkId('l')

export function recordTests<Tx>(setup: StoreSetup<Tx>): void {
  it('gives a peer back as it was put, and replaces it as a whole', async () => {
    await using world = await setup()
    const { store } = world
    const addresses = [
      { transport: 'ws', value: 'wss://b.example', tls: { hostname: 'c.example', pins: ['p', 'q'] } },
      { transport: 'http', value: 'https://a.example', publicOnly: true },
    ]
    const full = peer('p', { name: 'Grüße 🫶', addresses, enabled: false, metadata: { a: [1, { b: null }] } })
    const plain = peer('p', { addresses: addresses.slice(1) })
    for (const expected of [full, plain, full]) {
      await store.transaction((tx) => store.peers.put(tx, expected))
      assert.deepEqual(await store.read((tx) => store.peers.get(tx, p)), expected)
    }
    assert.equal(await store.read((tx) => store.peers.get(tx, peerId('nobody'))), undefined)
  })

  it('lists peers by name, then id, and finds them by any address', async () => {
    await using world = await setup()
    const { store } = world
    const at = (value: string) => [{ transport: 'ws', value }]
    const peers = [
      peer('3', { name: 'b', addresses: at('ws://3') }),
      peer('1', { name: 'b', addresses: [...at('ws://x'), ...at('ws://1')] }),
      peer('2', { name: 'a', addresses: at('ws://2') }),
    ]
    await store.transaction(async (tx) => {
      for (const each of peers) await store.peers.put(tx, each)
    })
    const listed = await store.read((tx) => store.peers.list(tx))
    assert.deepEqual(listed, [peers[2], peers[1], peers[0]])
    const find = (transport: string, value: string) =>
      store.read(async (tx) => (await store.peers.findByAddress(tx, transport, value)).map(({ id }) => id))
    assert.deepEqual(await find('ws', 'ws://1'), ['1'])
    assert.deepEqual(await find('http', 'ws://1'), [])
    await store.transaction((tx) => store.peers.put(tx, peer('4', { name: 'a', addresses: at('ws://1') })))
    assert.deepEqual(await find('ws', 'ws://1'), ['4', '1'])
    await store.transaction((tx) => store.peers.put(tx, peer('1', { name: 'b' })))
    assert.deepEqual(await find('ws', 'ws://1'), ['4'])
  })

  it('E-17 what cannot be read of one record hides no other, and stays as it is', async () => {
    await using world = await setup()
    const { store } = world
    await seed(store, 'l', 'm')
    await store.transaction(async (tx) => {
      await store.peers.put(tx, peer('q'))
      await store.links.saveRun(tx, l, initialRun)
      await world.execute(tx, `UPDATE peers SET metadata = '{"a":' WHERE id = 'q'`)
      await world.execute(tx, `UPDATE links SET scope = '{' WHERE id = 'm'`)
      await world.execute(tx, `UPDATE link_runs SET run = '' WHERE link = 'l'`)
    })
    await store.read(async (tx) => {
      assert.deepEqual(await store.peers.list(tx), [peer('p')])
      const [lost, ...more] = await store.peers.unreadable(tx)
      assert.deepEqual([lost?.id, more], ['q', []])
      await assert.rejects(store.peers.get(tx, peerId('q')), code('store/corrupt'))
      assert.deepEqual(await store.links.list(tx, p), [link('l', 'p')])
      assert.equal(await store.links.run(tx, l), undefined)
    })
    const stored = await store.transaction((tx) =>
      world.execute(tx, `SELECT metadata FROM peers WHERE id = 'q'`),
    )
    assert.deepEqual(
      stored.map(({ metadata }) => metadata),
      ['{"a":'],
    )
    assert.equal(await store.transaction((tx) => store.peers.remove(tx, peerId('q'))), true)
  })

  it('keeps the health of a peer, and refuses that of a stranger', async () => {
    await using world = await setup()
    const { store } = world
    await seed(store)
    assert.equal(await store.read((tx) => store.peers.health(tx, p)), undefined)
    const failed = observe(unknownHealth, { kind: 'failure', at: 5, code: 'peer/busy', message: 'slow down' })
    for (const health of [unknownHealth, failed, observe(failed, { kind: 'success', at: 6, stable: true })]) {
      await store.transaction((tx) => store.peers.saveHealth(tx, p, health))
      assert.deepEqual(await store.read((tx) => store.peers.health(tx, p)), health)
    }
    const stranger = store.transaction((tx) => store.peers.saveHealth(tx, peerId('x'), unknownHealth))
    await assert.rejects(stranger, code('config/invalid'))
  })

  it('keeps the newest attempts of each link, as they began and as they ended', async () => {
    await using world = await setup()
    const { store } = world
    await seed(store, 'l', 'm')
    const begin = (id: string, startedAt: number) =>
      store.transaction((tx) => store.links.beginAttempt(tx, { link: linkId(id), trigger: 'due', startedAt }))
    const other = await begin('m', 1)
    const ids: number[] = []
    for (let at = 0; at < attemptsKept + 3; at++) ids.push(await begin('l', at))
    const end: AttemptEnd = {
      finishedAt: 99,
      result: 'failed',
      code: 'peer/busy',
      reason: 'slow down',
      counters: { received: 2 },
      notes: { strategy: 'req' },
    }
    const last = ids.at(-1)!
    await store.transaction(async (tx) => {
      await store.links.endAttempt(tx, last, end)
      await store.links.endAttempt(tx, last, { ...end, reason: 'a second end changes nothing' })
      await store.links.endAttempt(tx, ids[0]!, end)
    })
    const kept = await store.read((tx) => store.links.attempts(tx, l, 1_000))
    assert.deepEqual(
      kept.map(({ id }) => id),
      ids.slice(-attemptsKept).reverse(),
    )
    assert.deepEqual(kept[0], { id: last, link: l, trigger: 'due', startedAt: attemptsKept + 2, end })
    assert.equal(kept[1]?.end, undefined)
    const others = await store.read((tx) => store.links.attempts(tx, linkId('m'), 5))
    assert.deepEqual(others, [{ id: other, link: 'm', trigger: 'due', startedAt: 1, end: undefined }])
    await assert.rejects(begin('stranger', 1), code('config/invalid'))
  })

  it('removing a peer removes its links and all that belongs to them, and nothing else', async () => {
    await using world = await setup()
    const { store } = world
    await seed(store, 'l')
    const m = linkId('m')
    const lease = await store.transaction(async (tx) => {
      await store.peers.put(tx, peer('q'))
      await store.links.put(tx, link('m', 'q'))
      for (const id of [l, m]) {
        await store.links.saveCheckpoint(tx, id, 1)
        await store.links.saveRun(tx, id, initialRun)
        await store.outbox.add(tx, id, ['k'])
      }
      await store.peers.saveHealth(tx, p, unknownHealth)
      return store.jobs.claim(tx, l, 'me', 1_000)
    })
    assert.equal(await store.transaction((tx) => store.peers.remove(tx, p)), true)
    assert.equal(await store.transaction((tx) => store.peers.remove(tx, p)), false)
    const left = (id: typeof l) =>
      store.read(async (tx) => [
        await store.links.get(tx, id),
        await store.links.checkpoint(tx, id),
        await store.links.run(tx, id),
        await store.outbox.count(tx, id),
      ])
    assert.deepEqual(await left(l), [undefined, undefined, undefined, { pending: 0, dead: 0 }])
    assert.deepEqual(await left(m), [link('m', 'q'), 1, initialRun, { pending: 1, dead: 0 }])
    assert.equal(await store.read((tx) => store.peers.health(tx, p)), undefined)
    // An attempt that was under way cannot commit for a link that is gone.
    await assert.rejects(
      store.transaction((tx) => store.jobs.assertOwned(tx, lease!)),
      code('lease/lost'),
    )
  })

  it('gives a link back as it was put, and finds it by what it is about', async () => {
    await using world = await setup()
    const { store } = world
    await seed(store)
    const full = link('l', 'p', {
      plane: 'documents',
      scope: { kinds: [1, 2], '#t': ['ä"\\'] },
      scopeKey: '{"kinds":[1,2]}',
      direction: 'up',
      live: true,
      enabled: false,
      schedule: '1m',
    })
    for (const expected of [full, link('l', 'p'), full]) {
      await store.transaction((tx) => store.links.put(tx, expected))
      assert.deepEqual(await store.read((tx) => store.links.get(tx, l)), expected)
    }
    const find = (direction: string) =>
      store.read((tx) => store.links.find(tx, p, 'documents', direction, full.scopeKey))
    assert.deepEqual(await find('up'), full)
    assert.equal(await find('down'), undefined)
    assert.equal(await store.transaction((tx) => store.links.remove(tx, l)), true)
    assert.equal(await store.transaction((tx) => store.links.remove(tx, l)), false)
    assert.equal(await find('up'), undefined)
  })

  it('lists the links of all peers or of one', async () => {
    await using world = await setup()
    const { store } = world
    await seed(store, 'b', 'a')
    await store.transaction(async (tx) => {
      await store.peers.put(tx, peer('q'))
      await store.links.put(tx, link('c', 'q'))
    })
    const ids = (of?: string) =>
      store.read(async (tx) =>
        (await store.links.list(tx, of === undefined ? undefined : peerId(of))).map(({ id }) => String(id)),
      )
    assert.deepEqual((await ids()).toSorted(), ['a', 'b', 'c'])
    assert.deepEqual((await ids('p')).toSorted(), ['a', 'b'])
    assert.deepEqual(await ids('nobody'), [])
  })

  it('one peer has at most one link of a plane, direction and scope', async () => {
    await using world = await setup()
    const { store } = world
    await seed(store)
    const same = { scopeKey: 'same' }
    await store.transaction(async (tx) => {
      await store.links.put(tx, link('l', 'p', same))
      await store.links.put(tx, link('m', 'p', { ...same, direction: 'up' }))
      await store.links.put(tx, link('n', 'p', { ...same, plane: 'rows' }))
    })
    const put = (id: string, of: string) => store.transaction((tx) => store.links.put(tx, link(id, of, same)))
    await assert.rejects(put('x', 'p'), code('config/invalid'))
    await assert.rejects(put('x', 'nobody'), code('config/invalid'))
    assert.equal((await store.read((tx) => store.links.list(tx))).length, 3)
  })

  it('keeps any JSON value as checkpoint; undefined deletes it', async () => {
    await using world = await setup()
    const { store } = world
    await seed(store, 'l')
    const saved = async (value: unknown) => {
      await store.transaction((tx) => store.links.saveCheckpoint(tx, l, value))
      return store.read((tx) => store.links.checkpoint(tx, l))
    }
    // JSON knows no -0.
    const json = fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as unknown)
    await fc.assert(
      fc.asyncProperty(json, async (value) => assert.deepEqual(await saved(value), value)),
      { numRuns: 50, examples: [[null], [0], [''], [false]] },
    )
    assert.equal(await saved(undefined), undefined)
    assert.equal(await saved(undefined), undefined)
    const stranger = store.transaction((tx) => store.links.saveCheckpoint(tx, linkId('x'), 1))
    await assert.rejects(stranger, code('config/invalid'))
  })

  it('keeps the run record of a link', async () => {
    await using world = await setup()
    const { store } = world
    await seed(store, 'l')
    assert.equal(await store.read((tx) => store.links.run(tx, l)), undefined)
    const running = step(initialRun, { kind: 'start', at: 5 })
    const failed = step(running, { kind: 'failed', at: 7, reason: 'gone', delayMs: 100 })
    for (const run of [initialRun, running, failed]) {
      await store.transaction((tx) => store.links.saveRun(tx, l, run))
      assert.deepEqual(await store.read((tx) => store.links.run(tx, l)), run)
    }
    const stranger = store.transaction((tx) => store.links.saveRun(tx, linkId('x'), initialRun))
    await assert.rejects(stranger, code('config/invalid'))
  })
}
