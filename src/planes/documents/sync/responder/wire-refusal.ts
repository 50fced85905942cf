import type { WireErrorCode } from '../wire/response.ts'

/** What a requester is told instead of an answer. The message is short and says nothing of what is inside. */
export class WireRefusal extends Error {
  override readonly name = 'WireRefusal'
  readonly code: WireErrorCode

  constructor(code: WireErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

/** One answer for a database that does not exist and for one that is not shared. */
export function notFound(): WireRefusal {
  return new WireRefusal('not-found', 'there is no such database')
}
