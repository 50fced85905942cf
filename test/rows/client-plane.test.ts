import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { systemClock } from '../../src/kernel/clock.ts'
import { type Link, linkId } from '../../src/kernel/link.ts'
import { silentLogger } from '../../src/kernel/logger.ts'
import { peerId } from '../../src/kernel/peer.ts'
import type { Session } from '../../src/kernel/plane.ts'
import type { Outcome, Progress } from '../../src/kernel/progress.ts'
import type { RowsClient } from '../../src/planes/rows/client/rows-client.ts'
import {
  createRowsPlane,
  type RowsCheckpoint,
  type RowsScope,
} from '../../src/planes/rows/client/rows-plane.ts'
import { postgresServer } from '../helpers/postgres-server.ts'
import { addUser, ready, rowsWorld, userNames } from '../helpers/rows-world.ts'

const postgres = postgresServer()

interface Attempt {
  readonly run: AsyncGenerator<Progress, Outcome>
  readonly checkpoints: RowsCheckpoint[]
  readonly abort: AbortController
}

/** One attempt, with as much of a session as the plane uses; what it commits is kept. */
function attempt(client: RowsClient, { live = false, user = 'ada' } = {}): Attempt {
  const abort = new AbortController()
  const checkpoints: RowsCheckpoint[] = []
  const plane = createRowsPlane<undefined>({ clientFor: () => client })
  const link: Link<RowsScope> = {
    id: linkId('l'),
    peer: peerId('p'),
    plane: 'rows',
    scope: plane.scope.parse({ user }),
    scopeKey: user,
    direction: 'both',
    live,
    enabled: true,
    schedule: undefined,
  }
  const session = {
    link,
    peer: { id: link.peer, name: 'server', addresses: [], enabled: true },
    checkpoint: undefined,
    signal: abort.signal,
    clock: systemClock,
    log: silentLogger,
    commit: async (write: (tx: undefined) => Promise<{ checkpoint: RowsCheckpoint }>) => {
      checkpoints.push((await write(undefined)).checkpoint)
    },
  } as unknown as Session<RowsScope, RowsCheckpoint, undefined>
  return { run: plane.sync(session), checkpoints, abort }
}

async function finish({
  run,
}: Attempt): Promise<{ readonly outcome: Outcome; readonly phases: ReadonlySet<string> }> {
  const phases = new Set<string>()
  for (;;) {
    const step = await run.next()
    if (step.done) return { outcome: step.value, phases }
    phases.add(step.value.phase)
  }
}

describe('the rows plane', () => {
  it('catches up, commits the checkpoint and reports what it does', async () => {
    await using world = await rowsWorld(postgres)
    const device = world.device('a')
    await device.client.open()
    addUser(device, 'x')
    const first = attempt(device.client)
    const { outcome, phases } = await finish(first)
    assert.deepEqual(outcome, { kind: 'caught-up' })
    assert.ok(phases.has('connecting') && phases.has('transferring'))
    assert.deepEqual(first.checkpoints, [{ bundleSeq: 1 }])
  })

  it('live, goes on with edits from here and from there until it is stopped', async () => {
    await using world = await rowsWorld(postgres)
    const a = world.device('a', { backoffMinMs: 5 })
    const b = await ready(world.device('b'))
    const live = attempt(a.client, { live: true })
    const reason = new Error('enough')
    const ended = assert.rejects(finish(live), reason)
    addUser(b, 'of b')
    await b.client.sync()
    while (userNames(a).length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    addUser(a, 'of a')
    while (userNames(b).length < 2) await b.client.sync()
    live.abort.abort(reason)
    await ended
  })

  it('rebuilds where the client asks for it, and says so to the kernel', async () => {
    await using world = await rowsWorld(postgres)
    const device = await ready(world.device('a'))
    device.db.exec('UPDATE _sync_attachment_state SET rebuild_required = 1')
    const { outcome } = await finish(attempt(device.client))
    assert.equal(outcome.kind, 'rebuild')
    assert.deepEqual((await finish(attempt(device.client))).outcome, { kind: 'caught-up' })
  })

  it('is blocked by what a person must decide, and tells trouble of the line by its code', async () => {
    await using world = await rowsWorld(postgres)
    const device = await ready(world.device('a'))
    device.db.exec(`INSERT INTO notes (id, title, amount) VALUES ('n', 'n', '-1')`)
    const { outcome } = await finish(attempt(device.client))
    assert.ok(outcome.kind === 'blocked' && /notes/.test(outcome.reason))
    device.db.exec('DELETE FROM notes')
    for (const [answer, code] of [
      [() => new Response('', { status: 503, headers: { 'Retry-After': '0' } }), 'peer/busy'],
      [
        () => Response.json({ error: 'authentication_failed', message: '' }, { status: 401 }),
        'peer/rejected',
      ],
      [() => new Response('nonsense'), 'peer/protocol'],
      [
        () => {
          throw new TypeError('cut')
        },
        'peer/unreachable',
      ],
    ] as const) {
      device.line.after = (request) => (request === 'GET /sync/pull' ? answer() : undefined)
      await assert.rejects(finish(attempt(device.client)), { code })
    }
  })

  it('refuses a scope without a user', () => {
    const plane = createRowsPlane<undefined>({ clientFor: () => assert.fail() })
    assert.throws(() => plane.scope.parse({ user: ' ' }))
    assert.throws(() => plane.checkpoint.parse({ bundleSeq: -1 }))
  })
})
