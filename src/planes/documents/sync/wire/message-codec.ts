import { decode, encode } from '@ipld/dag-cbor'
import { z } from 'zod'

/** Bytes of one message, request or response, whatever the transport. */
export const maxMessageBytes = 8 * 1024 * 1024

/** What travels is canonical DAG-CBOR of what the schema reads. */
export function encodeMessage<Schema extends z.ZodType>(schema: Schema, value: z.output<Schema>): Uint8Array {
  return encode(z.encode(schema, value))
}

/** Undefined for anything that is not such a message. */
export function decodeMessage<Schema extends z.ZodType>(
  schema: Schema,
  message: Uint8Array,
): z.output<Schema> | undefined {
  if (message.length > maxMessageBytes) return undefined
  try {
    return z.safeDecode(schema, decode(message) as z.input<Schema>).data
  } catch {
    // Nesting that exhausts the stack, numbers out of range: whatever it is, it is none.
    return undefined
  }
}
