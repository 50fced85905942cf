import assert from 'node:assert/strict'
import { it } from 'node:test'
import { transportSuite } from '../../test/acceptance/transport-suite.ts'
import { type MemoryChannel, MemoryNetwork, memoryPair } from './memory.ts'

transportSuite('memory', async () => {
  const network = new MemoryNetwork()
  const accepted: MemoryChannel[] = []
  const listener = network.listen('relay', (channel) => accepted.push(channel))
  const transport = network.transport()
  return {
    transport,
    address: { transport: 'memory', value: 'relay' },
    nowhere: { transport: 'memory', value: 'nowhere' },
    accept: async () => {
      while (accepted.length === 0) await undefined
      const channel = accepted.shift()!
      const messages = channel[Symbol.asyncIterator]()
      return {
        // Not awaited, like a peer that does not care whether we keep up.
        send: (message) => void channel.send(message).catch(() => {}),
        // Nothing is taken off a memory channel unless somebody asks.
        pause: () => {},
        receive: async () => (await messages.next()).value,
        close: () => channel.close(),
        break: () => channel.break(),
      }
    },
    async [Symbol.asyncDispose]() {
      listener[Symbol.dispose]()
      await transport[Symbol.asyncDispose]()
    },
  }
})

it('a sender may reuse its buffer, as it may with a socket', async () => {
  const [left, right] = memoryPair()
  const buffer = new Uint8Array([1, 2, 3])
  await left.send(buffer)
  buffer.fill(0)
  await left.send(buffer)
  left.close()
  assert.deepEqual(await Array.fromAsync(right), [new Uint8Array([1, 2, 3]), new Uint8Array(3)])
})

it('two listeners cannot share an address', () => {
  const network = new MemoryNetwork()
  network.listen('relay', () => {})
  assert.throws(() => network.listen('relay', () => {}), /already listened on/)
})
