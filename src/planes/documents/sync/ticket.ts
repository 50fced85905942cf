import { DocumentError } from '../document-error.ts'
import { type DatabaseId, isEntryId } from '../entry/entry-id.ts'
import { type PublicKey, parsePublicKey } from '../entry/key-pair.ts'
import { formatAddress, parseAddress, type SyncAddress } from './sync-address.ts'

/** What one needs to find a database: its id, and where peers that have it may be reached. Grants nothing by itself. */
export interface DatabaseTicket {
  readonly database: DatabaseId
  /** In the order in which they are tried. */
  readonly addresses: readonly SyncAddress[]
  /** The device that made it: whoever answers at the addresses has to be this one. */
  readonly peer?: PublicKey
}

const scheme = 'syncline-doc:?'
const maxTicketCharacters = 16_384
const maxAddresses = 64

/** `syncline-doc:?db=<id>&peer=<key>&pr=<type>:<address>&pr=…` */
export function formatTicket({ database, addresses, peer }: DatabaseTicket): string {
  const fields = [`db=${database}`]
  if (peer !== undefined) fields.push(`peer=${escaped(peer)}`)
  for (const address of addresses) fields.push(`pr=${escaped(formatAddress(address))}`)
  return scheme + fields.join('&')
}

/**
 * Reads a ticket. What is no address, and what is not known, is passed over; of several databases the last counts.
 *
 * @throws DocumentError `document/bad-ticket` for another scheme, without a database, or with a key that is none
 */
export function parseTicket(text: string): DatabaseTicket {
  if (!text.startsWith(scheme)) throw bad(`it does not begin with ${scheme}`)
  if (text.length > maxTicketCharacters) throw bad('it is too long')
  const fields = new URLSearchParams(text.slice(scheme.length))
  const database = fields.getAll('db').at(-1)
  if (database === undefined || !isEntryId(database)) throw bad('it names no database')
  const addresses = fields
    .getAll('pr')
    .flatMap((field) => parseAddress(field) ?? [])
    .slice(0, maxAddresses)
  const peer = fields.getAll('peer').at(-1)
  return peer === undefined ? { database, addresses } : { database, addresses, peer: keyOf(peer) }
}

function keyOf(text: string): PublicKey {
  try {
    return parsePublicKey(text)
  } catch (cause) {
    throw bad('the key of its peer is none', cause)
  }
}

/** Only what a query would read as something else: the rest stays readable for people. */
function escaped(text: string): string {
  return text.replace(/[%&=#+]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
}

function bad(why: string, cause?: unknown): DocumentError {
  return new DocumentError('document/bad-ticket', `this is no ticket: ${why}`, { cause })
}
