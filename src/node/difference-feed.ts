import type { LinkId } from '../kernel/link.ts'
import type { SyncDifference } from './control.ts'

type Listener = (difference: SyncDifference) => void

/** Carries what a dry run finds from the plane to whoever asked for it. */
export class DifferenceFeed {
  readonly #listeners = new Map<LinkId, Listener>()

  tell(link: LinkId, difference: SyncDifference): void {
    this.#listeners.get(link)?.(difference)
  }

  /** A link runs once at a time, so it has one listener. */
  listen(link: LinkId, listener: Listener): Disposable {
    this.#listeners.set(link, listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(link) }
  }
}
