import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { readFile, utimes, writeFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { FakeClock } from '../../../../test/helpers/fake-clock.ts'
import { temporaryFolder } from '../../../../test/helpers/temporary-folder.ts'
import { systemClock } from '../../../kernel/clock.ts'
import { type Logger, silentLogger } from '../../../kernel/logger.ts'
import type { NostrEvent } from '../event.ts'
import type { PolicyContext, Refusal } from '../write-policy.ts'
import { openWritePolicyPlugin, type WritePolicyPluginOptions } from './write-policy-plugin.ts'

const context: PolicyContext = {
  source: 'client',
  remote: '::ffff:192.0.2.7',
  authenticated: ['aa'.repeat(32)],
  relayUrls: [],
  nowSeconds: 1_800_000_000,
}

const event = (n: number, content = ''): NostrEvent => ({
  id: n.toString(16).padStart(64, '0'),
  pubkey: 'bb'.repeat(32),
  created_at: 1_700_000_000,
  kind: 1,
  tags: [['t', 'x']],
  content,
  sig: 'cc'.repeat(64),
})

/** A script that answers each request with what `body` makes of it; `body` sees `request`, `say` and `count`. */
const answering = (body: string) => `
let count = 0
const say = (answer) => process.stdout.write(JSON.stringify(answer) + '\\n')
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const request = JSON.parse(line)
  const id = request.event.id
  count++
  ${body}
})`

async function setup(script: string, options: Partial<WritePolicyPluginOptions> = {}) {
  const folder = await temporaryFolder()
  const path = folder.join('plugin.cjs')
  const write = (text: string) => writeFile(path, `#!${process.execPath}\n${text}`, { mode: 0o755 })
  await write(script)
  const lines: string[] = []
  const note = (message: string, fields?: object) => void lines.push(`${message} ${JSON.stringify(fields)}`)
  const log: Logger = { ...silentLogger, warn: note, error: note }
  const plugin = await openWritePolicyPlugin({
    path,
    clock: systemClock,
    random: () => 0.5,
    log,
    graceMs: 5_000,
    ...options,
  })
  return {
    folder,
    path,
    write,
    lines,
    plugin,
    ask: async (e: NostrEvent, more: Partial<PolicyContext> = {}) =>
      told(await plugin.policy(e, { ...context, ...more })),
    async [Symbol.asyncDispose]() {
      await plugin[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
    },
  }
}

const told = (refusal: Refusal): string =>
  typeof refusal === 'object' ? refusal.reason : (refusal ?? 'accepted')

const ended = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return false
  } catch {
    return true
  }
}

describe('what a plugin answers', () => {
  it('accepts, refuses with its own words, and drops in secret what a client sent', async () => {
    const answers = [
      `{ id, action: 'accept', msg: 'ignored' }`,
      `{ id, action: 'reject', msg: 'restricted: friends only' }`,
      `{ id, action: 'reject', msg: 'no prefix' }`,
      `{ id, action: 'reject' }`,
      `{ id, action: 'reject', msg: 'two\\nlines' + 'x'.repeat(5000) }`,
      `{ id, action: 'shadowReject', msg: 'hush' }`,
      `{ id, action: 'shadowReject' }`,
    ]
    await using world = await setup(answering(`say([${answers.join(',')}][count - 1])`))
    assert.equal(await world.ask(event(1)), 'accepted')
    assert.equal(await world.ask(event(2)), 'restricted: friends only')
    assert.equal(await world.ask(event(3)), 'blocked: no prefix')
    assert.equal(await world.ask(event(4)), 'blocked: refused by the policy of this relay')
    assert.match(await world.ask(event(5)), /^blocked: two linesx{491}$/)
    assert.equal(await world.ask(event(6)), 'shadowed')
    assert.equal(
      await world.ask(event(7), { source: 'sync' }),
      'blocked: refused by the policy of this relay',
    )
  })

  it('is asked with the event, who sent it and when', async () => {
    await using world = await setup(
      answering(
        `require('node:fs').appendFileSync(__filename + '.log', line + '\\n'); say({ id, action: 'accept' })`,
      ),
    )
    await world.ask(event(1))
    await world.ask(event(2), { remote: '2001:db8::1', authenticated: [] })
    await world.ask(event(3), { source: 'sync', remote: 'wss://relay.example/', authenticated: [] })
    await world.ask(event(4), { source: 'import', remote: 'stdin', authenticated: [] })
    const asked = (await readFile(`${world.path}.log`, 'utf8')).trim().split('\n')
    const base = { type: 'new', receivedAt: 1_800_000_000 }
    const authed = 'aa'.repeat(32)
    assert.deepEqual(
      asked.map((line) => JSON.parse(line)),
      [
        { ...base, event: event(1), sourceType: 'IP4', sourceInfo: '192.0.2.7', authed },
        { ...base, event: event(2), sourceType: 'IP6', sourceInfo: '2001:db8::1' },
        { ...base, event: event(3), sourceType: 'Sync', sourceInfo: 'wss://relay.example/' },
        { ...base, event: event(4), sourceType: 'Import', sourceInfo: '' },
      ],
    )
  })

  it('is matched by id, with no more in flight than allowed, in whatever order it comes', async () => {
    // It answers only when eight wait, the last first: asked one by one it would never answer.
    const body = `(globalThis.open ??= []).push(request)
      if (open.length > 8) throw new Error('asked too much at once')
      if (open.length === 8) for (const { event } of open.splice(0).reverse())
        say({ id: event.id, action: 'reject', msg: 'pow: ' + event.content })`
    await using world = await setup(answering(body), { maxInFlight: 8 })
    const asked = Array.from({ length: 200 }, (_, n) => world.ask(event(n, `number ${n}`)))
    assert.deepEqual(
      await Promise.all(asked),
      asked.map((_, n) => `pow: number ${n}`),
    )
  })

  it('fails what is beyond the queue, and serves what is in it', async () => {
    await using world = await setup(answering(`say({ id, action: 'accept' })`), {
      maxInFlight: 1,
      maxWaiting: 1,
    })
    const asked = await Promise.all([1, 2, 3].map((n) => world.ask(event(n))))
    assert.deepEqual(asked, ['accepted', 'accepted', 'failed'])
  })

  it('an event larger than a pipe takes gets through whole', async () => {
    await using world = await setup(
      answering(`say({ id, action: 'reject', msg: 'pow: ' + request.event.content.length })`),
    )
    assert.equal(await world.ask(event(1, 'x'.repeat(1_000_000))), 'pow: 1000000')
  })
})

describe('a plugin that misbehaves', () => {
  it('is killed when it hangs, and started again', async () => {
    const script = answering(`if (request.event.content !== 'hang') say({ id, action: 'accept' })`)
    await using world = await setup(script, { timeoutMs: 700, random: () => 0 })
    assert.equal(await world.ask(event(1)), 'accepted')
    // One that answers the others is hung all the same.
    const both = await Promise.all([world.ask(event(2, 'hang')), world.ask(event(3))])
    assert.deepEqual(both, ['failed', 'accepted'])
    assert.match(world.lines.join('\n'), /did not answer for 0\.7 seconds/)
    assert.equal(await world.ask(event(4)), 'accepted')
  })

  it('is left alone between crashes, longer each time, and costs nothing meanwhile', async () => {
    const clock = new FakeClock()
    await using world = await setup(
      `require('node:fs').appendFileSync(__filename + '.starts', 'x'); process.exitCode = 3`,
      { clock, random: () => 1, graceMs: 0 },
    )
    const starts = () => readFileSync(`${world.path}.starts`, 'utf8').length
    const ask = () => world.ask(event(1))
    assert.equal(await ask(), 'failed')
    assert.equal(starts(), 1)
    for (const delayMs of [250, 500, 1_000]) {
      const before = starts()
      await clock.advance(delayMs - 1)
      for (let n = 0; n < 20; n++) assert.equal(await ask(), 'failed')
      assert.equal(starts(), before)
      await clock.advance(1)
      assert.equal(await ask(), 'failed')
      assert.equal(starts(), before + 1)
    }
    assert.match(world.lines.join('\n'), /it ended with code 3/)
  })

  it('garbage among the answers is passed over; an action that does not exist fails that event', async () => {
    const body = `process.stdout.write('debug!\\n\\nnull\\n[1]\\n{"id":7}\\n{"id":"unknown","action":"accept"}\\n')
      say({ id, action: count === 1 ? 'accept' : 'maybe' })`
    await using world = await setup(answering(body))
    assert.equal(await world.ask(event(1)), 'accepted')
    assert.equal(await world.ask(event(2)), 'failed')
    assert.match(world.lines.join('\n'), /answers nothing that was asked: debug!/)
  })

  it('a line without end costs the plugin its life, not us our memory', async () => {
    const flood = `const flood = () => process.stdout.write('x'.repeat(65536), flood); flood()`
    await using world = await setup(answering(flood))
    assert.equal(await world.ask(event(1)), 'failed')
    assert.match(world.lines.join('\n'), /a line without end/)
  })

  it('what it writes for people is logged in bounds', async () => {
    const body = `process.stderr.write(('y'.repeat(5000) + '\\n').repeat(200), () => say({ id, action: 'accept' }))`
    await using world = await setup(answering(body))
    for (let n = 0; n < 3; n++) assert.equal(await world.ask(event(n)), 'accepted')
    await world.plugin[Symbol.asyncDispose]()
    assert.ok(world.lines.length > 0 && world.lines.length <= 50)
    for (const line of world.lines) assert.ok(line.length < 1_200)
  })

  it('that cannot be executed is refused at the start', async () => {
    await using folder = await temporaryFolder()
    const path = folder.join('plain.txt')
    await writeFile(path, 'text', { mode: 0o644 })
    for (const bad of [path, folder.join('missing')])
      await assert.rejects(
        openWritePolicyPlugin({ path: bad, clock: systemClock, random: Math.random }),
        /writePolicyPlugin: .* is not an executable file/,
      )
  })
})

describe('the life of a plugin', () => {
  it('a changed script takes over', async () => {
    const clock = new FakeClock()
    await using world = await setup(answering(`say({ id, action: 'reject', msg: 'pow: old' })`), { clock })
    assert.equal(await world.ask(event(1)), 'pow: old')
    await world.write(answering(`say({ id, action: 'reject', msg: 'pow: new' })`))
    await utimes(world.path, new Date(), new Date(Date.now() + 60_000))
    assert.equal(await world.ask(event(2)), 'pow: old')
    await clock.advance(1_000)
    assert.equal(await world.ask(event(3)), 'pow: new')
  })

  it('an old version that still owes an answer gives it, or ends with the node', async () => {
    const clock = new FakeClock()
    const old = `if (count === 1) say({ id, action: 'reject', msg: 'pow: ' + process.pid })
      if (count === 3) say({ id: request.event.content, action: 'reject', msg: 'pow: late' })`
    await using world = await setup(answering(old), { clock })
    const pid = Number((await world.ask(event(1))).replace('pow: ', ''))
    const owed = [world.ask(event(2)), world.ask(event(3, event(2).id))]
    assert.equal(await owed[0], 'pow: late')
    await world.write(answering(`say({ id, action: 'accept' })`))
    await utimes(world.path, new Date(), new Date(Date.now() + 60_000))
    await clock.advance(1_000)
    assert.equal(await world.ask(event(4)), 'accepted')
    assert.equal(ended(pid), false)
    await world.plugin[Symbol.asyncDispose]()
    assert.equal(ended(pid), true)
    assert.equal(await owed[1], 'failed')
  })

  for (const deaf of [false, true]) {
    it(`it ends with the node${deaf ? ', even one that will not listen' : ''}`, async () => {
      const ignore = deaf ? `process.on('SIGTERM', () => {}); setInterval(() => {}, 1000);` : ''
      const world = await setup(
        ignore + answering(`if (count === 1) say({ id, action: 'reject', msg: 'pow: ' + process.pid })`),
        { graceMs: deaf ? 50 : 5_000 },
      )
      const pid = Number((await world.ask(event(1))).replace('pow: ', ''))
      assert.equal(ended(pid), false)
      const open = world.ask(event(2))
      await world[Symbol.asyncDispose]()
      assert.equal(ended(pid), true)
      assert.equal(await open, 'failed')
      assert.equal(await world.ask(event(3)), 'failed')
    })
  }
})
