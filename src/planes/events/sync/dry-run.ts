import { SyncError } from '../../../kernel/sync-error.ts'
import type { AttemptState } from './attempt-state.ts'
import { type Difference, NegentropyUnsupported, probe, reconcileWindow } from './negentropy-session.ts'
import { wantedRange } from './wanted.ts'
import { WindowQueue } from './window-queue.ts'

const maxRefusals = 3

/**
 * Finds the difference between both sides and moves nothing, neither events nor the checkpoint (E-126).
 *
 * @throws SyncError with the fault `negentropy_unsupported`: pages would have to be moved to be compared
 */
export async function dryRun<Tx>(
  state: AttemptState<Tx>,
  report: (difference: Difference) => void,
): Promise<void> {
  const { settings, counters, session } = state
  const queue = new WindowQueue([wantedRange(state.filter, state.target, state.scanStart)], {
    first: settings.negentropyChunkSeconds,
    least: settings.negentropyMinWindowSeconds,
  })
  counters.queryRuns++
  state.phase = 'reconciling'
  state.notes.strategy = 'negentropy'
  const seen = { need: new Set<string>(), have: new Set<string>() }
  let refusals = 0
  try {
    await probe(state)
    for (let window = queue.next(); window !== undefined; window = queue.next()) {
      session.signal.throwIfAborted()
      const differences = reconcileWindow(state, window)
      let step = await differences.next()
      for (; !step.done; step = await differences.next()) {
        // A window that is asked for again tells again what it has told.
        const need = step.value.need.filter((id) => !seen.need.has(id))
        const have = step.value.have.filter((id) => !seen.have.has(id))
        for (const id of need) seen.need.add(id)
        for (const id of have) seen.have.add(id)
        counters.need += need.length
        counters.have += have.length
        report({ need, have })
        state.pulse.notify()
      }
      const end = step.value
      if (end.kind === 'done') {
        refusals = 0
        queue.succeeded(seen.need.size + seen.have.size === 0 ? 'same' : 'cheap')
        seen.need.clear()
        seen.have.clear()
      } else if (end.kind === 'too-big' && queue.refused(window)) continue
      else if (++refusals < maxRefusals) queue.again(window)
      else throw new NegentropyUnsupported(end.reason)
    }
  } catch (error) {
    if (!(error instanceof NegentropyUnsupported)) throw error
    const message = `${state.client.url} cannot be compared without moving events: ${error.message}`
    throw new SyncError('peer/protocol', message, { fault: 'negentropy_unsupported', retry: 'never' })
  }
}
