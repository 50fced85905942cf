import { createReadStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import { loadConfig } from '../config/load.ts'
import type { Progress } from '../kernel/progress.ts'
import { SyncError } from '../kernel/sync-error.ts'
import { openNode } from '../node/create-node.ts'
import type { Node } from '../node/node.ts'
import { packageFile } from '../node/package-file.ts'
import { textLines } from '../node/text-lines.ts'
import { generateCorpus } from '../planes/events/event-corpus.ts'
import { type CommonOptions, command } from './options.ts'
import { number, progressLine } from './progress-line.ts'
import type { Terminal } from './terminal.ts'

const realEvents = packageFile('test/fixtures/real-events.jsonl')
const generatedEvents = 5_000
const maxLineBytes = 1024 * 1024

export function demoCommand(terminal: Terminal): Command {
  return command('demo', 'two nodes with different events come into step, with the proof', terminal).action(
    async (_options: CommonOptions) => {
      await using folder = await temporaryFolder()
      await using alice = await openDemoNode(join(folder.path, 'alice'))
      await using bob = await openDemoNode(join(folder.path, 'bob'))
      const url = await alice.listen()
      terminal.note(`Two nodes in ${folder.path}; alice's relay is ${url}`)

      const real = await fill(alice, 'alice', textLines(createReadStream(realEvents), maxLineBytes), terminal)
      terminal.note(`alice imported ${number(real)} real events, each signature checked`)
      const corpus = generateCorpus({
        seed: 1,
        count: generatedEvents,
        authors: 50,
        from: 1_700_000_000,
        to: 1_731_536_000,
      })
      const generated = await fill(bob, 'bob', corpus, terminal)
      terminal.note(`bob imported ${number(generated)} generated events`)

      const onProgress = (progress: Progress) => terminal.progress(() => progressLine('syncing', progress))
      const request = { url, direction: 'both', filter: {}, live: false } as const
      const { run } = await bob.syncOnce(request, { signal: terminal.signal, onProgress })
      if (run.state !== 'idle')
        throw new SyncError('peer/protocol', `the nodes did not come into step: ${run.reason}`)

      const proof = { alice: await alice.count({}), bob: await bob.count({}), moved: run.progress?.counters }
      const equal = proof.alice.count === proof.bob.count && proof.alice.fingerprint === proof.bob.fingerprint
      await terminal.result({ ...proof, equal }, () => proofText(proof, equal))
      if (!equal)
        throw new SyncError('internal/bug', 'the two nodes hold different sets after a finished sync')
    },
  )
}

async function openDemoNode(data: string): Promise<Node> {
  return openNode(await loadConfig({ flags: { data, port: 0, logLevel: 'error' } }))
}

async function fill(
  node: Node,
  name: string,
  lines: AsyncIterable<string>,
  terminal: Terminal,
): Promise<number> {
  const report = await node.import(lines, {
    verify: true,
    signal: terminal.signal,
    onProgress: ({ accepted }) => terminal.progress(() => `${name} imports… ${number(accepted)} events`),
  })
  if (report.rejected > 0)
    throw new SyncError('internal/bug', `${name} refused ${report.rejected} good events`)
  return report.accepted
}

function proofText(
  {
    alice,
    bob,
    moved,
  }: Record<'alice' | 'bob', { count: number; fingerprint: string }> & {
    moved: Readonly<Record<string, number>> | undefined
  },
  equal: boolean,
): string {
  const row = (name: string, set: { count: number; fingerprint: string }) =>
    `${name.padEnd(6)} ${number(set.count).padStart(7)} events  fingerprint ${set.fingerprint}`
  return [
    `Synced both ways: ${number(moved?.accepted ?? 0)} down, ${number(moved?.uploaded ?? 0)} up, in ${moved?.rounds ?? 0} rounds of negentropy.`,
    row('alice', alice),
    row('bob', bob),
    equal ? 'Equal counts, equal fingerprints: the two nodes are in step.' : 'NOT in step.',
  ].join('\n')
}

async function temporaryFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'syncline-demo-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}
