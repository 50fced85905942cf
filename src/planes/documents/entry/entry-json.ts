import { z } from 'zod'
import { DocumentError } from '../document-error.ts'
import { type DocumentLimits, defaultDocumentLimits } from '../document-limits.ts'
import type { Entry, SealedEntry } from './entry.ts'
import { openEntry } from './entry-decoder.ts'
import { encodeEntry } from './entry-encoder.ts'
import { parseId } from './entry-id.ts'
import { parsePublicKey } from './key-pair.ts'
import type { KeyHint, SigKey } from './sig-key.ts'

const id = z.string().transform((text) => parseId(text))
const bytes = z.array(z.number().int().min(0).max(255)).transform((list) => Uint8Array.from(list))
const height = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER)

const hint = z
  .strictObject({
    name: z.string().optional(),
    pubkey: z.string().optional(),
    is_global: z.boolean().optional(),
  })
  .transform(({ name, pubkey, is_global }): KeyHint => {
    return {
      ...(name === undefined ? {} : { name }),
      ...(pubkey === undefined ? {} : { pubkey: parsePublicKey(pubkey) }),
      ...(is_global === true ? { isGlobal: true } : {}),
    }
  })

const sigKey = z.union([
  z
    .strictObject({ Direct: z.strictObject({ hint }) })
    .transform(({ Direct }): SigKey => ({ kind: 'direct', hint: Direct.hint })),
  z
    .strictObject({
      Delegation: z.strictObject({ path: z.array(z.strictObject({ tree: id, tips: z.array(id) })), hint }),
    })
    .transform(({ Delegation: { path, hint } }): SigKey => ({ kind: 'delegation', path, hint })),
])

/** The JSON form of an entry: the same names as in CBOR, ids as text, bytes as numbers, absent optionals left out. */
const entryJsonSchema = z.strictObject({
  _v: z.literal(0).optional(),
  tree: z.strictObject({
    root: id.optional(),
    parents: z.array(id),
    metadata: bytes.optional(),
    h: height.optional(),
  }),
  subtrees: z.array(
    z.strictObject({ name: z.string(), parents: z.array(id), data: bytes.optional(), h: height.optional() }),
  ),
  sig: z.strictObject({ sig: z.string().optional(), key: sigKey }),
})

/** A claim as it stands in JSON: in entries, and wherever a claim is remembered. */
export function sigKeyToJson(key: SigKey): unknown {
  const { name, pubkey, isGlobal } = key.hint
  const hint = { name, pubkey, is_global: isGlobal }
  if (key.kind === 'direct') return { Direct: { hint } }
  return { Delegation: { path: key.path, hint } }
}

/** Throws `document/bad-encoding`. */
export function sigKeyFromJson(value: unknown): SigKey {
  return parsed(sigKey, value, 'a claim of a key')
}

export function entryToJson(entry: Entry): unknown {
  const list = (part: Uint8Array | undefined) => part && Array.from(part)
  return {
    tree: {
      root: entry.root,
      parents: entry.parents,
      metadata: list(entry.metadata),
      h: entry.height === 0 ? undefined : entry.height,
    },
    subtrees: entry.stores.map(({ name, parents, data, height }) => {
      return { name, parents, data: list(data), h: height }
    }),
    sig: { sig: entry.sig.signature, key: sigKeyToJson(entry.sig.key) },
  }
}

/**
 * Reads the JSON form and holds it to the same rules as canonical bytes.
 *
 * @throws DocumentError as `openEntry`
 */
export function entryFromJson(value: unknown, limits: DocumentLimits = defaultDocumentLimits): SealedEntry {
  const { tree, subtrees, sig } = parsed(entryJsonSchema, value, 'an entry')
  const entry: Entry = {
    root: tree.root,
    parents: tree.parents,
    metadata: tree.metadata,
    height: tree.h ?? 0,
    stores: subtrees.map(({ name, parents, data, h }) => ({ name, parents, data, height: h })),
    sig: { signature: sig.sig, key: sig.key },
  }
  return openEntry(encodeEntry(entry), limits)
}

function parsed<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const [issue] = result.error.issues
  const where = issue?.path.join('.')
  throw new DocumentError('document/bad-encoding', `not ${what}: ${where}: ${issue?.message}`)
}
