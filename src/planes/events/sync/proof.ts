import type { Proof } from '../../../kernel/progress.ts'
import { everything } from '../event-store.ts'
import type { AttemptState } from './attempt-state.ts'
import { isEqualSet } from './reconcile.ts'

const countWaitMs = 5_000

/**
 * Compares both sides after a finished sync (promise K10): their count and fingerprint where COUNT tells them (our
 * own relays do), else one negentropy round, which is answered "nothing to add" only for equal sets.
 */
export async function prove<Tx>(state: AttemptState<Tx>, negentropy: boolean): Promise<Proof> {
  const local = await state.store.fingerprint(state.filter, everything)
  const remote = await state.client.count(state.filter, countWaitMs)
  if (remote?.fingerprint !== undefined) {
    return { local, remote, equal: remote.count === local.count && remote.fingerprint === local.fingerprint }
  }
  const equal = negentropy ? await isEqualSet(state) : undefined
  if (equal === true) return { local, remote: { ...local }, equal }
  return { local, remote: { count: remote?.count }, equal }
}
