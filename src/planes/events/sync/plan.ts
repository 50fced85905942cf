/** The words a link can be asked with (spec events §1.2 no. 14, §4.7), beyond its own pace. */
export type SyncWord = 'realtime' | 'backfill' | 'upload' | 'full' | 'sync' | 'dry-run'

/** What one round of catching up does. */
export interface Plan {
  /** Look for new events: the time around now. */
  readonly top: boolean
  /** Everything wanted that is not covered. */
  readonly history: boolean
  /** Everything wanted, covered or not. */
  readonly full: boolean
  /** Offer what the peer lacks. */
  readonly upload: boolean
  /** Close the live subscription and open it again. */
  readonly restart: boolean
  /** Find the difference and move nothing. */
  readonly dry: boolean
}

export const wholePlan: Plan = {
  top: true,
  history: true,
  full: false,
  upload: true,
  restart: false,
  dry: false,
}

const nothing: Plan = { top: false, history: false, full: false, upload: false, restart: false, dry: false }

const plans: Readonly<Record<SyncWord, Partial<Plan>>> = {
  realtime: { top: true },
  backfill: { top: true, history: true },
  upload: { upload: true },
  full: { top: true, history: true, full: true, upload: true },
  sync: { top: true, history: true, upload: true, restart: true },
  'dry-run': { dry: true },
}

/** What the words ask for together; undefined when none of them is known here. */
export function planOf(words: readonly string[]): Plan | undefined {
  const known = words.flatMap((word) => (Object.hasOwn(plans, word) ? [plans[word as SyncWord]] : []))
  if (known.length === 0) return undefined
  return known.reduce<Plan>((plan, part) => merged(plan, { ...nothing, ...part }), nothing)
}

function merged(a: Plan, b: Plan): Plan {
  return {
    top: a.top || b.top,
    history: a.history || b.history,
    full: a.full || b.full,
    upload: a.upload || b.upload,
    restart: a.restart || b.restart,
    dry: a.dry || b.dry,
  }
}
