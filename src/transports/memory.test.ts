import { transportSuite } from '../../test/acceptance/transport-suite.ts'
import { type MemoryChannel, MemoryNetwork } from './memory.ts'

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
