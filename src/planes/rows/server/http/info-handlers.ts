import type { HandlerKit } from './handler-kit.ts'
import { jsonAnswer } from './json-answer.ts'
import { actorOf } from './request-actor.ts'

/** What the server can do and how it is. */
export function infoHandlers(kit: HandlerKit) {
  const { service } = kit
  return {
    capabilities: kit.forAnybody('status_failed', async (request) => {
      const capabilities = service.capabilities()
      const actor = actorOf(request)
      const { features } = capabilities
      if (actor === undefined || !features.bundle_change_watch || (await kit.mayWatch(actor)))
        return jsonAnswer(capabilities)
      return jsonAnswer({ ...capabilities, features: { ...features, bundle_change_watch: false } })
    }),

    health: kit.forAnybody('health_failed', async () => {
      const status = await service.status()
      return jsonAnswer(status, status.status === 'healthy' ? 200 : 503)
    }),

    status: kit.forAnybody('status_failed', async () => jsonAnswer(await service.status())),
  }
}
