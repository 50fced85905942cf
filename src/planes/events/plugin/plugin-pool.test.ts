import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { craft, hexId } from '../../../../test/acceptance/event-arbitrary.ts'
import { temporaryFolder } from '../../../../test/helpers/temporary-folder.ts'
import { systemClock } from '../../../kernel/clock.ts'
import { EventError } from '../event-error.ts'
import type { PolicyContext, Refusal } from '../write-policy.ts'
import { PluginPool } from './plugin-pool.ts'

/** Tells its process and what it was asked about in the reason it refuses for. */
const telling = `
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const { event: { id }, sourceType, sourceInfo, peerId, link, labels } = JSON.parse(line)
  const msg = JSON.stringify({ pid: process.pid, sourceType, sourceInfo, peerId, link, labels })
  process.stdout.write(JSON.stringify({ id, action: 'reject', msg: 'blocked: ' + msg }) + '\\n')
})`
const crashing = 'throw 1'

const context: PolicyContext = {
  source: 'sync',
  remote: 'wss://relay.example/',
  authenticated: [],
  relayUrls: [],
  nowSeconds: 1_800_000_000,
}
const event = craft({ id: hexId(1) })

async function setup(script: string) {
  await using opening = new AsyncDisposableStack()
  const folder = opening.use(await temporaryFolder())
  const path = folder.join('plugin.cjs')
  await writeFile(path, `#!${process.execPath}\n${script}`, { mode: 0o755 })
  const pool = opening.use(new PluginPool({ clock: systemClock, random: () => 0.5 }))
  const stack = opening.move()
  return { path, pool, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

function told(refusal: Refusal): { pid: number } & Record<string, unknown> {
  assert.ok(refusal instanceof EventError)
  return JSON.parse(refusal.message)
}

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

describe('a pool of write policy plugins', { timeout: 60_000 }, () => {
  it('asks one process for many peers, and says which peer, link and labels it is about', async () => {
    await using world = await setup(telling)
    const [one, other] = await Promise.all([world.pool.open(world.path), world.pool.open(world.path)])
    const first = told(
      await one.policy(event, {
        ...context,
        peer: { id: 'tribes', pubkey: 'ab'.repeat(32), link: 'link-1', labels: { region: 'eu' } },
      }),
    )
    const second = told(await other.policy(event, { ...context, remote: 'wss://other.example/' }))
    assert.equal(first.pid, second.pid)
    assert.equal(world.pool.size, 1)
    const { pid: _, ...asked } = first
    assert.deepEqual(asked, {
      sourceType: 'Sync',
      sourceInfo: 'wss://relay.example/',
      peerId: 'tribes',
      link: 'link-1',
      labels: { region: 'eu' },
    })
    assert.equal(second.sourceInfo, 'wss://other.example/')
    await one[Symbol.asyncDispose]()
    await one[Symbol.asyncDispose]()
    assert.ok(alive(first.pid), 'another peer still asks it')
    await other[Symbol.asyncDispose]()
    assert.equal(world.pool.size, 0)
    assert.ok(!alive(first.pid), 'nobody asks it any more')
  })

  it('without a verdict the event waits, is refused, or passes, as each peer has it', async () => {
    await using world = await setup(crashing)
    await using pause = await world.pool.open(world.path)
    await using reject = await world.pool.open(world.path, 'reject')
    await using accept = await world.pool.open(world.path, 'accept')
    assert.equal(await pause.policy(event, context), 'failed')
    const refusal = await reject.policy(event, context)
    assert.equal(refusal instanceof EventError && refusal.reason, 'error: internal error')
    assert.equal(await accept.policy(event, context), undefined)
  })

  it('what cannot be executed is refused, and may be put right', async () => {
    await using world = await setup(telling)
    const missing = `${world.path}.missing`
    await assert.rejects(world.pool.open(missing), { code: 'config/invalid' })
    assert.equal(world.pool.size, 0)
    await writeFile(missing, `#!${process.execPath}\n${telling}`, { mode: 0o755 })
    await using plugin = await world.pool.open(missing)
    assert.ok(told(await plugin.policy(event, context)).pid > 0)
  })
})
