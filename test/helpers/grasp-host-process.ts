import type { NostrEvent } from '../../src/planes/events/event.ts'
import { type GraspServiceOptions, startGraspService } from './grasp-service.ts'

/**
 * A process with several GRASP services, so that a simulated network has more than one core. Its parent calls the methods
 * below by message; when it lets go of the channel, all of them stop.
 */
type Service = Awaited<ReturnType<typeof startGraspService>>

const services = new Map<string, Service>()
const of = (data: string) => services.get(data)!

const methods = {
  async start(data: string, options: GraspServiceOptions) {
    const service = await startGraspService(data, options)
    services.set(data, service)
    const { url, port, domain } = service
    return { url, port, domain }
  },

  async stop(data: string) {
    const service = of(data)
    services.delete(data)
    await service[Symbol.asyncDispose]()
  },

  /** Resolves once the service holds all of them, or after so many milliseconds. @returns what it lacks then */
  async missing(data: string, ids: readonly string[], waitMs: number): Promise<readonly string[]> {
    const { events } = of(data).node
    const deadline = AbortSignal.timeout(waitMs)
    let accepted = Promise.withResolvers<void>()
    using _listener = events.onAccepted(() => accepted.resolve())
    deadline.addEventListener('abort', () => accepted.resolve(), { once: true })
    for (;;) {
      accepted = Promise.withResolvers<void>()
      const known = await events.known(ids)
      if (known.size === ids.length || deadline.aborted) return ids.filter((id) => !known.has(id))
      await accepted.promise
    }
  },

  /** Sorted ids of what the service holds. */
  async held(data: string): Promise<readonly string[]> {
    const ids: string[] = []
    for await (const line of of(data).node.query({})) ids.push((JSON.parse(line) as NostrEvent).id)
    return ids.sort()
  },

  async relays(data: string): Promise<number> {
    return of(data).node.proactive()[0]!.relays
  },
}

export type HostMethods = typeof methods

export interface HostCall {
  readonly id: number
  readonly method: keyof HostMethods
  readonly args: readonly unknown[]
}

export type HostAnswer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: string }

process.on('message', ({ id, method, args }: HostCall) => {
  const call = methods[method] as (...args: readonly unknown[]) => Promise<unknown>
  call(...args).then(
    (value) => process.send?.({ id, value } satisfies HostAnswer),
    (error: unknown) => process.send?.({ id, error: `${error}` } satisfies HostAnswer),
  )
})

process.on('disconnect', async () => {
  for (const data of services.keys()) await methods.stop(data)
})
