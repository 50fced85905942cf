import { SyncError } from '../../../kernel/sync-error.ts'
import type { AttemptState } from './attempt-state.ts'
import type { Interval } from './coverage.ts'
import { walkDenseSecond } from './dense-second.ts'
import { covered, fetchPage, type Page, smallestClamp } from './page.ts'
import { windowFilter } from './window-filter.ts'

/**
 * Walks a gap from its newest second to its oldest with plain REQs (specs §5.17), committing each page together with
 * the seconds it proved complete. For relays without NIP-77.
 *
 * A relay may clamp silently, so a short page proves nothing: the walk ends when a page brought no id unseen in it, or
 * the relay said `finish` (NIP-67). The boundary second is read again by the next page, so none is skipped.
 */
export async function walkGap<Tx>(state: AttemptState<Tx>, [from, to]: Interval): Promise<void> {
  const seen = new Set<string>()
  let largest = Math.min(smallestClamp, state.info.maxLimit ?? smallestClamp)
  let until = to
  for (;;) {
    state.session.signal.throwIfAborted()
    const page = await fetchPage(state, windowFilter(state.filter, [from, until]))
    largest = Math.max(largest, page.raws.length)
    const fresh = freshOf(page, seen)
    const oldest = page.times.length === 0 ? undefined : page.times.reduce((a, b) => Math.min(a, b))
    if (oldest === undefined && page.hint === 'more') {
      const message = `${state.client.url} says it has more events and hands out none`
      throw new SyncError('peer/protocol', message, { fault: 'empty_page', linkOnly: true })
    }
    if (page.hint === 'finish' || oldest === undefined) {
      await state.receive(fresh, covered(state, [from, until]))
      return
    }
    // As many events as the relay ever handed out at once, all of one second: there may be more of them.
    const dense = oldest === until && (page.raws.length >= largest || page.hint === 'more')
    if (dense) {
      await state.receive(fresh)
      await walkDenseSecond(state, oldest, page.raws.length)
      if (oldest <= from) return
      until = oldest - 1
      seen.clear()
    } else if (fresh.length === 0 && page.hint !== 'more') {
      await state.advance(covered(state, [from, until]))
      return
    } else {
      await state.receive(fresh, covered(state, [oldest + 1, until]))
      until = oldest
      // Only the boundary second is asked for twice; what came before it can be forgotten.
      keepOnly(seen, page, oldest)
    }
  }
}

/** Events of the page that no page before it brought; remembers their ids. */
function freshOf(page: Page, seen: Set<string>): string[] {
  return page.raws.filter((_, i) => {
    const id = page.ids[i] ?? ''
    if (seen.has(id)) return false
    seen.add(id)
    return true
  })
}

function keepOnly(seen: Set<string>, page: Page, second: number): void {
  seen.clear()
  for (const [i, id] of page.ids.entries()) if (page.times[i] === second) seen.add(id)
}
