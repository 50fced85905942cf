import { DocumentError } from '../document-error.ts'
import type { DocumentLimits } from '../document-limits.ts'
import type { SealedEntry } from '../entry/entry.ts'
import { openEntry } from '../entry/entry-decoder.ts'
import type { EntryId } from '../entry/entry-id.ts'
import type { PublicKey } from '../entry/key-pair.ts'
import type { IngestOutcome } from './ingest-result.ts'
import { assertReferences, type Signed } from './judge.ts'
import { type SignatureVerifier, signatureOf } from './signature-verifier.ts'

/** An entry that passed every check that needs no database, or why it did not. */
export type CheckedEntry =
  | ({ readonly kind: 'checked' } & Signed)
  | { readonly kind: 'known'; readonly id: EntryId }
  | Refusal

type Refusal = IngestOutcome & { readonly kind: 'refused' }

export interface CheckOptions {
  /** Of these ids, those that are held already: they need no check. */
  readonly known: (ids: readonly EntryId[]) => Promise<ReadonlySet<EntryId>>
  readonly signal?: AbortSignal | undefined
}

/** Decodes entries as received and checks their signatures off the main thread. */
export class EntryChecker {
  readonly #verifier: SignatureVerifier
  readonly #limits: DocumentLimits

  constructor(verifier: SignatureVerifier, limits: DocumentLimits) {
    this.#verifier = verifier
    this.#limits = limits
  }

  async check(entries: readonly Uint8Array[], { known, signal }: CheckOptions): Promise<CheckedEntry[]> {
    const opened = entries.map((bytes) => this.#open(bytes))
    const held = await known(opened.flatMap((entry) => (entry.kind === 'checked' ? [entry.sealed.id] : [])))
    const checked = opened.map((entry): CheckedEntry => {
      if (entry.kind !== 'checked' || !held.has(entry.sealed.id)) return entry
      return { kind: 'known', id: entry.sealed.id }
    })
    // A claim by name can be checked only when the settings it is judged by are known.
    const claims = checked.flatMap((entry, index) => {
      const pubkey = entry.kind === 'checked' ? claimedKey(entry.sealed) : undefined
      return pubkey === undefined ? [] : [{ index, pubkey, sealed: (entry as Signed).sealed }]
    })
    const verdicts = await this.#verifier.verify(claims, signal)
    for (const [i, { index, pubkey, sealed }] of claims.entries())
      checked[index] = verdicts[i] ? { kind: 'checked', sealed, signer: pubkey } : forged(sealed)
    return checked
  }

  #open(bytes: Uint8Array): CheckedEntry {
    try {
      const sealed = openEntry(bytes, this.#limits)
      assertReferences(sealed.entry)
      if (sealed.entry.sig.signature !== undefined && signatureOf(sealed) === undefined) return forged(sealed)
      return { kind: 'checked', sealed, signer: undefined }
    } catch (error) {
      if (error instanceof DocumentError) return refusal(undefined, error)
      throw error
    }
  }
}

export function refusal(id: EntryId | undefined, { code, message }: DocumentError): Refusal {
  return { kind: 'refused', id, code, message }
}

function claimedKey({ entry }: SealedEntry): PublicKey | undefined {
  return entry.sig.signature === undefined ? undefined : entry.sig.key.hint.pubkey
}

function forged({ id }: SealedEntry): CheckedEntry {
  const message = 'the entry is refused: its signature is not of the key it names'
  return refusal(id, new DocumentError('document/bad-signature', message))
}
