/** The machine-readable prefixes of OK, CLOSED and NEG-ERR (NIP-01, NIP-42, NIP-77). */
export type ReasonPrefix =
  | 'duplicate'
  | 'pow'
  | 'blocked'
  | 'rate-limited'
  | 'invalid'
  | 'restricted'
  | 'mute'
  | 'error'
  | 'auth-required'
  | 'unsupported'
  | 'closed'

/** Stable codes; the message is for people and may change. */
export type EventErrorCode =
  | 'event/not-json'
  | 'event/too-large'
  | 'event/too-deep'
  | 'event/not-an-object'
  | 'event/bad-field'
  | 'event/bad-number'
  | 'event/bad-string'
  | 'event/too-many-tags'
  | 'event/wrong-id'
  | 'event/wrong-signature'
  | 'event/too-new'
  | 'event/too-old'
  | 'event/expired'
  | 'event/kind-refused'
  | 'event/protected'
  | 'event/policy-refused'
  | 'event/held'
  | 'event/unrelated'
  | 'event/write-not-allowed'
  | 'event/deleted'
  | 'event/vanished'
  | 'event/vanish-elsewhere'
  | 'event/banned'
  | 'filter/not-an-object'
  | 'filter/unknown-key'
  | 'filter/bad-value'
  | 'filter/too-many-values'
  | 'filter/too-many-filters'

/** Input that can never be accepted. `reason` is the text after OK/CLOSED: `<prefix>: <message>`. */
export class EventError extends Error {
  override readonly name = 'EventError'
  readonly code: EventErrorCode
  readonly prefix: ReasonPrefix

  constructor(code: EventErrorCode, prefix: ReasonPrefix, message: string) {
    super(message)
    this.code = code
    this.prefix = prefix
  }

  get reason(): string {
    return `${this.prefix}: ${this.message}`
  }
}
