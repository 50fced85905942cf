import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Channel, Transport } from '../../src/kernel/channel.ts'
import type { Address } from '../../src/kernel/peer.ts'
import { SyncError } from '../../src/kernel/sync-error.ts'
import { settle } from '../helpers/fake-clock.ts'

/** The far end of one connection, as the test holds it. */
export interface FarEnd {
  send(message: string | Uint8Array): void
  /** Stops reading from the line until the next `receive`. */
  pause(): void
  /** The next message; undefined once the connection is closed. */
  receive(): Promise<string | Uint8Array | undefined>
  close(): void
  /** Cuts the line without a farewell. */
  break(): void
}

export interface TransportSetup extends AsyncDisposable {
  readonly transport: Transport
  /** Where something listens. */
  readonly address: Address
  /** Where nothing does. */
  readonly nowhere: Address
  /** The far end of the next connection. */
  accept(): Promise<FarEnd>
}

/** What every transport promises, run against one implementation. */
export function transportSuite(name: string, setup: () => Promise<TransportSetup>): void {
  const never = new AbortController().signal
  const code = (expected: string) => (error: unknown) => error instanceof SyncError && error.code === expected

  async function connected(signal = never) {
    const world = await setup()
    const dialled = world.transport.dial(world.address, { protocol: 'test', signal })
    const far = await world.accept()
    const near = await dialled
    return { world, near, far, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() }
  }

  async function collect(channel: Channel, count: number): Promise<(string | Uint8Array)[]> {
    const messages: (string | Uint8Array)[] = []
    if (count === 0) return messages
    for await (const message of channel) {
      messages.push(message)
      if (messages.length === count) break
    }
    return messages
  }

  describe(`transport ${name}`, () => {
    it('carries text and bytes both ways, whole and in order', async () => {
      await using line = await connected()
      const sent = ['one', new Uint8Array([0, 1, 255]), '', 'grüße 🫶', new Uint8Array(0)]
      for (const message of sent) line.far.send(message)
      assert.deepEqual(await collect(line.near, sent.length), sent)
      for (const message of sent) await line.near.send(message)
      for (const message of sent) assert.deepEqual(await line.far.receive(), message)
    })

    it('keeps what was not read for the next loop', async () => {
      await using line = await connected()
      for (const message of ['a', 'b', 'c']) line.far.send(message)
      assert.deepEqual(await collect(line.near, 1), ['a'])
      assert.deepEqual(await collect(line.near, 2), ['b', 'c'])
    })

    it('ends the loop when the peer closes, after everything it had sent', async () => {
      await using line = await connected()
      line.far.send('last words')
      line.far.close()
      assert.deepEqual(await Array.fromAsync(line.near), ['last words'])
      await assert.rejects(line.near.send('too late'), code('peer/unreachable'))
    })

    it('throws peer/unreachable out of the loop when the line breaks', async () => {
      await using line = await connected()
      const reading = Array.fromAsync(line.near)
      await settle()
      line.far.break()
      await assert.rejects(reading, code('peer/unreachable'))
      await assert.rejects(line.near.send('too late'), code('peer/unreachable'))
    })

    it('throws peer/unreachable when nothing listens', async () => {
      await using world = await setup()
      const dialled = world.transport.dial(world.nowhere, { protocol: 'test', signal: never })
      await assert.rejects(dialled, code('peer/unreachable'))
    })

    it('does not dial under a signal that has aborted', async () => {
      await using world = await setup()
      const signal = AbortSignal.abort(new Error('no longer wanted'))
      await assert.rejects(
        world.transport.dial(world.address, { protocol: 'test', signal }),
        /no longer wanted/,
      )
    })

    it('closes the channel when the signal of its dial aborts later', async () => {
      const abort = new AbortController()
      await using line = await connected(abort.signal)
      const reading = Array.fromAsync(line.near)
      await settle()
      abort.abort(new Error('stopped'))
      await assert.rejects(reading, /stopped/)
      assert.equal(await line.far.receive(), undefined)
    })

    it('makes the sender wait while the peer does not read, and go on when it does', async () => {
      await using line = await connected()
      line.far.pause()
      const message = 'x'.repeat(64 * 1024)
      let sent = 0
      let waiting = false
      while (!waiting) {
        const sending = line.near.send(message).then(() => true)
        sent += 1
        assert.ok(sent < 1_000, 'more than 60 MB were taken from the sender without anybody reading')
        waiting = !(await Promise.race([sending, turns(20).then(() => false)]))
        if (waiting) {
          for (let i = 0; i < sent; i += 1) assert.equal(await line.far.receive(), message)
          assert.equal(await sending, true)
        }
      }
    })

    it('stops taking from the peer while nobody reads here, and loses nothing', async () => {
      await using line = await connected()
      const count = 400
      for (let i = 0; i < count; i += 1) line.far.send(`${i}:${'x'.repeat(16 * 1024)}`)
      await turns(20)
      const numbers = (await collect(line.near, count)).map((message) =>
        Number(String(message).split(':')[0]),
      )
      assert.deepEqual(numbers, [...Array(count).keys()])
    })

    it('releases a waiting sender with an error when the line breaks', async () => {
      await using line = await connected()
      line.far.pause()
      const message = 'x'.repeat(1024 * 1024)
      const sends: Promise<void>[] = []
      for (let i = 0; i < 40; i += 1) sends.push(line.near.send(message))
      const outcomes = Promise.allSettled(sends)
      await turns(5)
      line.far.break()
      const rejected = (await outcomes).filter((outcome) => outcome.status === 'rejected')
      assert.ok(rejected.length > 0)
      for (const { reason } of rejected) assert.ok(code('peer/unreachable')(reason), String(reason))
    })

    it('closes by disposing, which ends a waiting reader without an error; twice is once', async () => {
      await using line = await connected()
      const reading = Array.fromAsync(line.near)
      await settle()
      await line.near[Symbol.asyncDispose]()
      await line.near[Symbol.asyncDispose]()
      assert.deepEqual(await reading, [])
      assert.equal(await line.far.receive(), undefined)
      await assert.rejects(line.near.send('too late'), code('peer/unreachable'))
    })

    it('disposes of a channel whose queue is full', async () => {
      await using line = await connected()
      for (let i = 0; i < 300; i += 1) line.far.send('x'.repeat(16 * 1024))
      await turns(20)
      await line.near[Symbol.asyncDispose]()
      assert.deepEqual(await Array.fromAsync(line.near), [])
    })

    it('closes every channel and dials no more once the transport is disposed of', async () => {
      await using line = await connected()
      const reading = Array.fromAsync(line.near)
      await line.world.transport[Symbol.asyncDispose]()
      assert.deepEqual(await reading, [])
      const again = line.world.transport.dial(line.world.address, { protocol: 'test', signal: never })
      await assert.rejects(again, code('peer/unreachable'))
    })
  })
}

/** Lets `count` turns of the event loop pass, I/O included. */
async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) await settle()
}
