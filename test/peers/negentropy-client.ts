import { nip77 } from 'nostr-tools'
import type { TestClient } from './test-client.ts'

interface Item {
  readonly id: string
  readonly created_at: number
}

export interface Difference {
  readonly have: string[]
  readonly need: string[]
  readonly rounds: number
  /** Bytes of the longest answer before it was written as hex. */
  readonly longest: number
}

/** Reconciles `items` with the relay's set by an independent implementation of NIP-77. Throws on NEG-ERR. */
export async function negentropyDifference(
  client: TestClient,
  filter: object,
  items: readonly Item[],
  frameLimit = 60_000,
): Promise<Difference> {
  const storage = new nip77.NegentropyStorageVector()
  for (const { id, created_at } of items) storage.insert(created_at, id)
  storage.seal()
  const negentropy = new nip77.Negentropy(storage, frameLimit)
  const have: string[] = []
  const need: string[] = []
  let [rounds, longest] = [0, 0]
  client.send(['NEG-OPEN', 'diff', filter, negentropy.initiate()])
  for (;;) {
    const [verb, id, text] = await client.next()
    if (verb !== 'NEG-MSG' || id !== 'diff') throw new Error(`${verb} ${id} ${text}`)
    rounds += 1
    longest = Math.max(longest, String(text).length / 2)
    const reply = negentropy.reconcile(
      String(text),
      (id) => have.push(id),
      (id) => need.push(id),
    )
    if (reply === null) break
    client.send(['NEG-MSG', 'diff', reply])
  }
  client.send(['NEG-CLOSE', 'diff'])
  return { have: [...new Set(have)], need: [...new Set(need)], rounds, longest }
}
