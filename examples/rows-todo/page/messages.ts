export interface Task {
  readonly id: string
  readonly title: string
  readonly done: boolean
}

/** A task that was changed on two devices. A version that is a deletion has no task. */
export interface Dispute {
  readonly id: string
  readonly mine: Task | undefined
  readonly theirs: Task | undefined
}

/** From the page to its worker. */
export type Command =
  | { readonly kind: 'start'; readonly device: string; readonly user: string }
  | { readonly kind: 'add'; readonly title: string }
  | { readonly kind: 'rename'; readonly id: string; readonly title: string }
  | { readonly kind: 'toggle'; readonly id: string }
  | { readonly kind: 'remove'; readonly id: string }
  | { readonly kind: 'offline'; readonly offline: boolean }
  | { readonly kind: 'decide'; readonly id: string; readonly keep: 'mine' | 'theirs' }

/** From the worker to its page: all there is to show. */
export interface State {
  readonly tasks: readonly Task[]
  /** Edits that were not sent yet. */
  readonly pending: number
  readonly disputes: readonly Dispute[]
  readonly problem: string | undefined
}
