import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { linkId } from '../../src/kernel/link.ts'
import type { OutboxItem } from '../../src/kernel/outbox.ts'
import { code, type StoreSetup, seed } from './store-setup.ts'

const l = linkId('l')
const m = linkId('m')
const keys = ['a', 'b', 'c', 'ä"\\', '']

type Action =
  | { readonly kind: 'add' | 'done' | 'revive'; readonly keys: readonly string[] }
  | { readonly kind: 'retry'; readonly key: string; readonly reason: string; readonly notBefore: number }
  | { readonly kind: 'bury'; readonly key: string; readonly reason: string }
  | { readonly kind: 'reviveAll' }

const key = fc.constantFrom(...keys)
const someKeys = fc.array(key, { maxLength: 4 })
const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({ kind: fc.constantFrom('add', 'done', 'revive'), keys: someKeys }),
  fc.record({
    kind: fc.constant('retry'),
    key,
    reason: fc.constantFrom('busy', 'böse'),
    notBefore: fc.nat({ max: 3 }),
  }),
  fc.record({ kind: fc.constant('bury'), key, reason: fc.constantFrom('no', 'never') }),
  fc.record({ kind: fc.constant('reviveAll') }),
)

/** The outbox as the contract describes it: a list in the order in which items got their place. */
class ListOutbox {
  items: OutboxItem[] = []

  find(wanted: string): OutboxItem | undefined {
    return this.items.find((item) => item.key === wanted)
  }

  apply(step: Action): number | undefined {
    const fresh = { link: l, state: 'pending', attempts: 0, notBefore: 0, reason: undefined } as const
    if (step.kind === 'add')
      for (const each of step.keys) if (!this.find(each)) this.items.push({ ...fresh, key: each })
    if (step.kind === 'done') this.items = this.items.filter((item) => !step.keys.includes(item.key))
    if (step.kind === 'retry') {
      const { reason, notBefore } = step
      if (!this.find(step.key)) this.items.push({ ...fresh, key: step.key })
      this.items = this.items.map((item) =>
        item.key === step.key ? { ...item, attempts: item.attempts + 1, reason, notBefore } : item,
      )
      return this.find(step.key)!.attempts
    }
    if (step.kind === 'bury') {
      const attempts = this.find(step.key)?.attempts ?? 0
      this.items = this.items.filter((item) => item.key !== step.key)
      this.items.push({ ...fresh, key: step.key, state: 'dead', attempts, reason: step.reason })
    }
    if (step.kind === 'revive' || step.kind === 'reviveAll') {
      const chosen = (item: OutboxItem) =>
        item.state === 'dead' && (step.kind === 'reviveAll' || step.keys.includes(item.key))
      const count = this.items.filter(chosen).length
      this.items = this.items.map((item) =>
        chosen(item) ? { ...item, state: 'pending', attempts: 0, notBefore: 0 } : item,
      )
      return count
    }
    return undefined
  }
}

export function outboxTests<Tx>(setup: StoreSetup<Tx>): void {
  it('K4 an item is pending, dead with its reason, or delivered: never anything else', async () => {
    await using world = await setup()
    const { store } = world
    const { outbox } = store
    await seed(store, 'l', 'm')
    const run = (tx: Tx, step: Action): Promise<unknown> => {
      switch (step.kind) {
        case 'add':
          return outbox.add(tx, l, step.keys)
        case 'done':
          return outbox.done(tx, l, step.keys)
        case 'retry':
          return outbox.retry(tx, l, step.key, step.reason, step.notBefore)
        case 'bury':
          return outbox.bury(tx, l, step.key, step.reason)
        case 'revive':
          return outbox.revive(tx, l, step.keys)
        case 'reviveAll':
          return outbox.revive(tx, l)
      }
    }
    await store.transaction((tx) => outbox.add(tx, m, ['a']))
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 30 }), async (steps) => {
        await store.transaction((tx) => outbox.done(tx, l, keys))
        const model = new ListOutbox()
        for (const step of steps) {
          const answer = await store.transaction((tx) => run(tx, step))
          assert.equal(answer, model.apply(step))
        }
        await store.read(async (tx) => {
          const dead = model.items.filter(({ state }) => state === 'dead')
          const pending = model.items.filter(({ state }) => state === 'pending')
          for (const now of [0, 2, 3])
            assert.deepEqual(
              await outbox.due(tx, l, now, 100),
              pending.filter(({ notBefore }) => notBefore <= now),
            )
          assert.deepEqual(await outbox.due(tx, l, 3, 2), pending.slice(0, 2))
          assert.deepEqual(await outbox.dead(tx, l, 100), dead.toReversed())
          assert.deepEqual(await outbox.dead(tx, l, 1), dead.slice(-1))
          assert.deepEqual(await outbox.count(tx, l), { pending: pending.length, dead: dead.length })
          assert.deepEqual(
            await outbox.deadAmong(tx, l, ['a', 'c', 'unknown']),
            new Set(dead.map((item) => item.key).filter((each) => each === 'a' || each === 'c')),
          )
          assert.deepEqual(await outbox.count(tx, m), { pending: 1, dead: 0 })
        })
      }),
      { numRuns: 40 },
    )
  })

  it('K4 dead letters survive a restart, with their reason', async () => {
    await using world = await setup()
    const { store } = world
    await seed(store, 'l')
    await store.transaction(async (tx) => {
      await store.outbox.retry(tx, l, 'k', 'timeout', 50)
      await store.outbox.bury(tx, l, 'k', 'blocked: not on the list')
    })
    const again = await world.restart()
    const [letter] = await again.read((tx) => again.outbox.dead(tx, l, 10))
    assert.deepEqual(letter, {
      link: l,
      key: 'k',
      state: 'dead',
      attempts: 1,
      notBefore: 0,
      reason: 'blocked: not on the list',
    })
  })

  it('takes many keys at once', async () => {
    await using world = await setup()
    const { store } = world
    await seed(store, 'l')
    const many = Array.from({ length: 20_000 }, (_, index) => index.toString(16).padStart(64, '0'))
    await store.transaction((tx) => store.outbox.add(tx, l, many))
    assert.deepEqual(
      (await store.read((tx) => store.outbox.due(tx, l, 0, 3))).map((item) => item.key),
      many.slice(0, 3),
    )
    await store.transaction((tx) => store.outbox.done(tx, l, many.slice(1)))
    assert.deepEqual(await store.read((tx) => store.outbox.count(tx, l)), { pending: 1, dead: 0 })
  })

  it('refuses items of a link that does not exist', async () => {
    await using world = await setup()
    const { store } = world
    const strange = linkId('x')
    await assert.rejects(
      store.transaction((tx) => store.outbox.add(tx, strange, ['k'])),
      code('config/invalid'),
    )
    await assert.rejects(
      store.transaction((tx) => store.outbox.retry(tx, strange, 'k', 'r', 0)),
      code('config/invalid'),
    )
    await assert.rejects(
      store.transaction((tx) => store.outbox.bury(tx, strange, 'k', 'r')),
      code('config/invalid'),
    )
  })
}
