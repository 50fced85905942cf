import { Initiator } from '../../negentropy/initiator.ts'
import type { OrderedSet } from '../../negentropy/ordered-set.ts'
import type { ReconcileStep } from '../../negentropy/reconcile-step.ts'
import { Responder } from '../../negentropy/responder.ts'
import { adaptiveTuning } from '../../negentropy/tuning.ts'
import type { Reconciler, ReconcilerOptions } from './event-store.ts'

/** A set as one moment left it, for as long as it is held. */
export interface HeldSet extends Disposable {
  readonly set: OrderedSet
  /** Records of the set that lie in memory because of it. */
  readonly heldRecords: number
  /** Runs `work` where the set can load what it does not hold in memory. */
  load<T>(work: () => T): Promise<T>
}

/** A negentropy session over a held set; disposing it lets the set go. */
export function createReconciler(held: HeldSet, { role, frameLimit }: ReconcilerOptions): Reconciler {
  using stack = new DisposableStack()
  stack.use(held)
  const options = { tuning: adaptiveTuning, frameLimit, randomBounds: true }
  const initiator = role === 'initiator' ? new Initiator(held.set, options) : undefined
  const session = initiator ?? new Responder(held.set, options)
  const owned = stack.move()
  return {
    size: held.set.size,
    heldRecords: held.heldRecords,
    async initiate(): Promise<Uint8Array> {
      if (initiator === undefined) throw new TypeError('a responder waits for the first message')
      return await held.load(() => initiator.initiate())
    },
    step: (message): Promise<ReconcileStep> => held.load(() => session.step(message)),
    async [Symbol.asyncDispose]() {
      owned.dispose()
    },
  }
}

/** A set that lies in memory as a whole. */
export function heldInMemory(set: OrderedSet): HeldSet {
  return { set, heldRecords: set.size, load: async (work) => work(), [Symbol.dispose]() {} }
}
