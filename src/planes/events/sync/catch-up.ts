import { everything } from '../event-store.ts'
import type { AttemptState } from './attempt-state.ts'
import { type Coverage, gaps, type Interval } from './coverage.ts'
import { Download } from './download.ts'
import { walkGap } from './page-walk.ts'
import { NegentropyUnsupported, reconcile } from './reconcile.ts'
import { Upload } from './upload.ts'
import { uploadSince } from './upload-tail.ts'

/** Stored events may reach a peer late and bear an older time; so much of the past is looked at again. */
const overlapSeconds = 300

/**
 * Brings both sides into step for everything stored by now: by negentropy where the relay speaks it, else by paging
 * down and by offering our own events up.
 *
 * @returns how the difference was found
 */
export async function catchUp<Tx>(state: AttemptState<Tx>): Promise<'negentropy' | 'req'> {
  try {
    await catchUpByNegentropy(state)
    return 'negentropy'
  } catch (error) {
    if (!(error instanceof NegentropyUnsupported)) throw error
    state.session.log.info('the relay does not offer negentropy, paging instead', { reason: error.message })
  }
  await catchUpByPaging(state)
  return 'req'
}

async function catchUpByNegentropy<Tx>(state: AttemptState<Tx>): Promise<void> {
  state.phase = 'reconciling'
  state.pulse.notify()
  const uploadedUpTo = await state.store.lastSeq()
  const download = new Download(state)
  const upload = new Upload(state)
  if (state.pushes) await upload.pushDue()
  const done: Interval[] = []
  try {
    for await (const found of reconcile(state, wanted(state))) {
      if ('complete' in found) {
        done.push(found.complete)
        continue
      }
      if ('interrupted' in found) {
        await Promise.all([download.drain(), upload.finish()])
        continue
      }
      state.phase = 'transferring'
      await Promise.all([
        state.pulls ? download.push(found.need) : undefined,
        state.pushes ? upload.push(found.have) : undefined,
      ])
      state.pulse.notify()
    }
  } finally {
    // What was found is moved even when the rest could not be: the next attempt then has less to find.
    await Promise.all([download.drain(), upload.finish()])
  }
  // Only now is every id of the difference disposed of: a window is complete with its events, not with its ids.
  await state.advance((checkpoint) => ({
    ...(state.pulls ? state.covering(checkpoint, done) : checkpoint),
    strategy: 'negentropy',
    gaps: state.pulls ? [] : checkpoint.gaps,
    uploadSeq: state.pushes ? Math.max(checkpoint.uploadSeq, uploadedUpTo) : checkpoint.uploadSeq,
  }))
}

async function catchUpByPaging<Tx>(state: AttemptState<Tx>): Promise<void> {
  state.phase = 'transferring'
  state.pulse.notify()
  if (state.pulls) {
    for (const gap of gaps(withoutOverlap(state.checkpoint.coverage), wanted(state)))
      await walkGap(state, gap)
  }
  if (state.pushes) {
    const upload = new Upload(state)
    await upload.pushDue()
    await upload.finish()
    await uploadSince(state, everything)
  }
  await state.advance((checkpoint) => ({ ...checkpoint, strategy: 'req' }))
}

/** All of time, unless the filter says less: what is a little ahead of our clock is wanted too. */
function wanted<Tx>(state: AttemptState<Tx>): Interval {
  return [state.filter.since ?? 0, state.filter.until ?? Number.MAX_SAFE_INTEGER]
}

/** The newest interval without its last seconds, so that they are asked for again. */
function withoutOverlap(coverage: Coverage): Coverage {
  const newest = coverage.at(-1)
  if (newest === undefined) return coverage
  const [from, to] = newest
  const trimmed: Interval = [from, to - overlapSeconds]
  return trimmed[0] > trimmed[1] ? coverage.slice(0, -1) : [...coverage.slice(0, -1), trimmed]
}
