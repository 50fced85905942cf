import { Initiator, NegentropyError } from '../../../../negentropy/index.ts'
import { DocumentError } from '../../document-error.ts'
import { type DatabaseId, type EntryId, entryIdOfDigest } from '../../entry/entry-id.ts'
import { nodeOf, treeDag } from '../../history/dag.ts'
import { maximal } from '../../history/walk.ts'
import type { Instance } from '../../instance.ts'

/**
 * The highest entries of a database that both sides have, found by range fingerprints over (height, id): some round trips
 * more when much differs, whatever the length of the history. Also sees holes behind equal tips.
 *
 * @param exchange sends a message of reconciliation and answers the peer's
 */
export async function commonFrontier(
  instance: Instance,
  tree: DatabaseId,
  exchange: (message: Uint8Array) => Promise<Uint8Array>,
): Promise<readonly EntryId[]> {
  const lacking = new Set<EntryId>()
  using set = await instance.entrySet(tree)
  const tips = await instance.read((view) => view.tips(tree))
  const { initiator, first } = await set.use((items) => {
    const initiator = new Initiator(items)
    return { initiator, first: initiator.initiate() }
  })
  for (let message: Uint8Array | undefined = first; message !== undefined; ) {
    const answer = await exchange(message)
    const { reply, have } = await set.use(() => stepOf(initiator, answer))
    for (const id of have) lacking.add(entryIdOfDigest(Buffer.from(id, 'hex')))
    message = reply
  }
  return await instance.read((view) => {
    const dag = treeDag(view, tree)
    // What both have is closed under ancestors, so its edge is what the peer's missing entries build on.
    const edge = new Set<EntryId>()
    for (const id of [...tips, ...[...lacking].flatMap((id) => nodeOf(dag, id).parents)])
      if (!lacking.has(id)) edge.add(id)
    return maximal(dag, edge)
  })
}

function stepOf(initiator: Initiator, answer: Uint8Array) {
  try {
    return initiator.step(answer)
  } catch (error) {
    if (!(error instanceof NegentropyError)) throw error
    const message = `the peer broke the protocol: ${error.message}`
    throw new DocumentError('document/peer-protocol', message, { cause: error })
  }
}
