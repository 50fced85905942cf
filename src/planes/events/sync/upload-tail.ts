import type { Visibility } from '../event-store.ts'
import type { AttemptState } from './attempt-state.ts'
import { Upload } from './upload.ts'

const pageEvents = 500

/**
 * Offers what the local store accepted since the link's position, in order of arrival, never of `created_at`:
 * backdated events that arrive late are offered like any other. The position moves with the last final answer of
 * a page; what got no final answer is in the outbox by then.
 */
export async function uploadSince<Tx>(state: AttemptState<Tx>, visibility: Visibility): Promise<void> {
  for (;;) {
    state.session.signal.throwIfAborted()
    const after = state.checkpoint.uploadSeq
    const page = await state.store.page({
      filter: state.filter,
      order: 'seq',
      after,
      limit: pageEvents,
      visibility,
    })
    const last = page.events.at(-1)
    if (last === undefined) return
    state.outstanding += page.events.length
    const upload = new Upload(state)
    await upload.offer(page.events, page.events.length)
    await upload.finish()
    await state.advance((checkpoint) => ({ ...checkpoint, uploadSeq: last.seq }))
    if (page.complete) return
  }
}
