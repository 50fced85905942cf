import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { craft, hexId } from '../../../../test/acceptance/event-arbitrary.ts'
import { type BulkWorld, bulkWorld, local } from '../../../../test/helpers/bulk-world.ts'
import type { NostrEvent } from '../event.ts'
import type { Filter } from '../filter.ts'
import type { Verifier } from '../verifier.ts'
import { createWorkerVerifier } from '../verifier.workers.ts'
import type { Bulk } from './bulk.ts'
import { SyncPageError } from './event-stream.ts'
import type { PageOptions } from './page-options.ts'

const list = Array.from({ length: 7 }, (_, at) => craft({ id: hexId(at), created_at: at }))
const options: PageOptions = { context: local, limit: 2 }

function stream(bulk: Bulk, more: Partial<PageOptions> = {}): AsyncGenerator<NostrEvent, void, undefined> {
  const opened = bulk.streamEvents({}, { ...options, ...more })
  assert.ok(opened.ok)
  return opened.value
}

/** What was delivered before the stream failed, and how it did. */
async function untilFailure(
  events: AsyncIterable<NostrEvent>,
): Promise<{ seen: NostrEvent[]; error: SyncPageError }> {
  const seen: NostrEvent[] = []
  try {
    for await (const event of events) seen.push(event)
  } catch (error) {
    assert.ok(error instanceof SyncPageError)
    assert.equal(error.code, 'sync_page_error')
    return { seen, error }
  }
  assert.fail('the stream did not fail')
}

describe('stream of events', () => {
  let verifier: Verifier
  before(() => {
    verifier = createWorkerVerifier({ workers: 1 })
  })
  after(() => verifier[Symbol.asyncDispose]())

  async function stocked(): Promise<BulkWorld> {
    const opened = await bulkWorld(verifier)
    await opened.put(list)
    return opened
  }

  it('E-83 reads a page when it is asked for its first event, and none ahead', async () => {
    await using opened = await stocked()
    const events = stream(opened.bulk)
    const reads = [opened.reads()]
    for await (const event of events) {
      assert.equal(event.id, list[reads.length - 1]!.id)
      reads.push(opened.reads())
    }
    assert.deepEqual(reads, [0, 1, 1, 2, 2, 3, 3, 4])
    assert.equal(opened.reads(), 4)
  })

  it('E-83 stops reading when its consumer does, and does not start again', async () => {
    await using opened = await stocked()
    const events = stream(opened.bulk)
    for await (const event of events) if (event.id === list[2]!.id) break
    assert.equal(opened.reads(), 2)
    for await (const event of events) assert.fail(`${event.id} after the end`)
    assert.equal(opened.reads(), 2)
  })

  it('E-84 when the third page fails, two were delivered, and the cursor leads on from there', async () => {
    await using opened = await stocked()
    const broken = new Error('broken')
    let works = false
    const authorizeEvent = ({ id }: NostrEvent) => {
      if (id === list[5]!.id && !works) throw broken
      return true
    }
    const { seen, error } = await untilFailure(stream(opened.bulk, { authorizeEvent }))
    assert.deepEqual(seen, list.slice(0, 4))
    assert.deepEqual([error.reason, error.cause], ['authorize_event_failed', broken])
    assert.deepEqual(error.cursor, [3, list[3]!.id])
    works = true
    const rest = stream(opened.bulk, { authorizeEvent, afterKey: error.cursor })
    assert.deepEqual(await Array.fromAsync(rest), list.slice(4))
  })

  it('E-84 a store that closes under a stream ends it with an error', async () => {
    const opened = await stocked()
    const events = stream(opened.bulk)
    assert.deepEqual((await events.next()).value, list[0])
    assert.deepEqual((await events.next()).value, list[1])
    await opened[Symbol.asyncDispose]()
    const { seen, error } = await untilFailure(events)
    assert.deepEqual([seen, error.reason, error.cursor], [[], 'sync_page_error', [1, list[1]!.id]])
  })

  it('an aborted stream does not look like one that came to its end', async () => {
    await using opened = await stocked()
    const controller = new AbortController()
    const afterKey = [0, list[0]!.id] as const
    const events = stream(opened.bulk, { afterKey, signal: controller.signal })
    controller.abort()
    const { seen, error } = await untilFailure(events)
    assert.deepEqual([seen, error.reason, error.cursor], [[], 'aborted', afterKey])
  })

  it('says at once what is wrong with the call', async () => {
    await using opened = await stocked()
    const { bulk } = opened
    const errors = [
      bulk.streamEvents({ limit: 5 }, options),
      bulk.streamEvents({ kinds: [] } as Filter, options),
      bulk.streamEvents({}, { ...options, order: 'desc' }),
      bulk.streamEvents({}, { ...options, order: 'seq' }),
      bulk.streamEvents({}, { limit: 5 } as PageOptions),
    ].map((result) => (result.ok ? undefined : result.error))
    assert.deepEqual(errors, [
      'limit_not_allowed',
      'invalid_kinds',
      'invalid_order',
      'invalid_order',
      'missing_context',
    ])
    assert.equal(opened.reads(), 0)
  })
})
