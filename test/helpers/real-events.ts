import { readFileSync } from 'node:fs'

/** Genuine events as public relays served them, one JSON text each. */
export const realEvents: readonly string[] = readFileSync(
  new URL('../fixtures/real-events.jsonl', import.meta.url),
  'utf8',
)
  .trim()
  .split('\n')
