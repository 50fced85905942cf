/**
 * Children whose subject nobody declared yet: relays hand out the newest first, so an issue regularly comes before the
 * announcement of its repository. Bounded in number; the subject that has been waiting longest is forgotten first.
 */
export class UnattachedChildren {
  readonly #max: number
  readonly #bySubject = new Map<string, Set<string>>()
  #size = 0

  constructor(max: number) {
    this.#max = max
  }

  get size(): number {
    return this.#size
  }

  add(subject: string, child: string): void {
    const children = this.#bySubject.get(subject) ?? new Set()
    this.#bySubject.set(subject, children)
    if (children.has(child)) return
    children.add(child)
    this.#size++
    // One subject that nobody ever declares must not push out all others, so it can lose its own as well.
    while (this.#size > this.#max) this.#dropOldest()
  }

  /** The children that waited for the subject; they wait no longer. */
  take(subject: string): ReadonlySet<string> {
    const children = this.#bySubject.get(subject)
    if (children === undefined) return new Set()
    this.#bySubject.delete(subject)
    this.#size -= children.size
    return children
  }

  #dropOldest(): void {
    for (const [subject, children] of this.#bySubject) {
      for (const child of children) {
        children.delete(child)
        this.#size--
        break
      }
      if (children.size === 0) this.#bySubject.delete(subject)
      return
    }
  }
}
