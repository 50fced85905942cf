import { httpTransport } from '../../src/planes/documents/sync/transport/http-transport.ts'
import { irohTransport } from '../../src/planes/documents/sync/transport/iroh-transport.ts'
import { MemoryNetwork } from '../../src/planes/documents/sync/transport/memory-network.ts'
import { syncTransportSuite } from './sync-transport-suite.ts'

syncTransportSuite('in memory', async () => {
  const network = new MemoryNetwork()
  let count = 0
  return {
    listening: () => network.transport(`peer-${++count}`),
    nobody: 'nobody',
    async [Symbol.asyncDispose]() {},
  }
})

syncTransportSuite('HTTP', async () => {
  const builder = httpTransport({ bind: { host: '127.0.0.1', port: 0 } })
  return {
    listening: async () => (await builder.build(undefined)).transport,
    // Reserved, and never listened at.
    nobody: '127.0.0.1:1',
    async [Symbol.asyncDispose]() {},
  }
})

syncTransportSuite('Iroh, without relays', async () => {
  const builder = irohTransport({ bind: '127.0.0.1:0', relays: false })
  return {
    listening: async () => (await builder.build(undefined)).transport,
    nobody: 'endpointnobody',
    async [Symbol.asyncDispose]() {},
  }
})
