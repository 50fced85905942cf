import type { SyncCore } from './sync-core.ts'
import { countDirty, readAttachment } from './sync-state.ts'
import { watch } from './watch.ts'

/**
 * Resolves when there may be something to sync: an edit here, a hint of the server, or `watchFallbackMs` after which it is
 * worth asking anyway. Without hints the server is asked every `backoffMinMs`.
 */
export async function waitForWork(core: SyncCore, signal: AbortSignal): Promise<void> {
  const { clock, backoffMinMs, watchFallbackMs, watch: mode } = core.settings
  const done = new AbortController()
  const either = AbortSignal.any([signal, done.signal])
  const offered = mode === 'auto' && (await core.capabilities(signal)).features.bundle_change_watch === true
  const finish = () => done.abort()
  const listening = offered
    ? watch(core, readAttachment(core.db).lastBundleSeqSeen, either, finish).then(finish, finish)
    : undefined
  const end = clock.monotonic() + (offered ? watchFallbackMs : backoffMinMs)
  while (!either.aborted && clock.monotonic() < end && countDirty(core.db) === 0)
    await clock.sleep(Math.min(backoffMinMs, Math.max(1, end - clock.monotonic())), either).catch(() => {})
  finish()
  await listening
  signal.throwIfAborted()
}
