import type { Hono } from 'hono'
import type { NodeProbe } from '../../node/node.ts'

/** What a probe asks a node. */
export interface Probed {
  /** Whether the store answers, whether the relay listens, and how rows and documents are where there are some. Never rejects. */
  probe(): Promise<NodeProbe>
}

/**
 * For whoever starts and watches the process, without a key. `startup`: did it get up; `live`: does it answer at all,
 * else it should be restarted; `ready`: can it do its work, else it should get none. `/up` is relay.rb's.
 */
export function addProbes(app: Hono, node: Probed): void {
  const status = (word: string) => Response.json({ status: word })
  app.get('/up', () => status('up'))
  app.get('/health/live', () => status('live'))
  for (const probe of ['startup', 'ready'])
    app.get(`/health/${probe}`, async () => {
      const parts = await node.probe()
      const good = parts.store && parts.relay && parts.rows !== false && parts.documents !== false
      return Response.json({ status: good ? probe : 'unavailable', ...parts }, { status: good ? 200 : 503 })
    })
}
