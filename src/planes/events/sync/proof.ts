import type { Proof } from '../../../kernel/progress.ts'
import { everything } from '../event-store.ts'
import type { AttemptState } from './attempt-state.ts'
import { isEqualSet } from './negentropy-session.ts'
import { windowFilter } from './window-filter.ts'

const countWaitMs = 5_000

/**
 * Compares both sides after a finished sync (promise K10), as far back as the link wants: their count and fingerprint where
 * COUNT tells them (our own relays do), else one negentropy round, which is answered "nothing to add" only for equal sets.
 */
export async function prove<Tx>(state: AttemptState<Tx>, negentropy: boolean): Promise<Proof> {
  const filter = windowFilter(state.filter, [state.target, Number.MAX_SAFE_INTEGER])
  const local = await state.store.fingerprint(filter, everything)
  const remote = await state.client.count(filter, countWaitMs)
  if (remote?.fingerprint !== undefined) {
    return { local, remote, equal: remote.count === local.count && remote.fingerprint === local.fingerprint }
  }
  const equal = negentropy ? await isEqualSet(state, filter) : undefined
  if (equal === true) return { local, remote: { ...local }, equal }
  return { local, remote: { count: remote?.count }, equal }
}
