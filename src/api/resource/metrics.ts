import type { Context, Hono } from 'hono'
import type { Metrics } from '../../telemetry/metrics.ts'
import { signedRequest } from '../admin-app.ts'
import type { Callers } from '../caller.ts'

export interface MetricsOptions {
  readonly metrics: Metrics
  readonly callers: Callers
  readonly access: 'open' | 'key'
  readonly addressOf: (context: Context) => string
}

/** `GET /metrics`, in the form of Prometheus. */
export function addMetrics(app: Hono, { metrics, callers, access, addressOf }: MetricsOptions): void {
  app.get('/metrics', async (context) => {
    if (access === 'key') await callers.identify(await signedRequest(context, addressOf), 'read')
    return new Response(await metrics.text(), { headers: { 'content-type': metrics.contentType } })
  })
}
