import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../../kernel/clock.ts'
import { BareRepository, folderBytes, formatOf } from './bare-repository.ts'
import type { CloneSource } from './clone-source.ts'
import { type FetchOutcome, failureOf, refusedId } from './fetch-outcome.ts'
import type { GitCommand } from './git-command.ts'

export interface FetchRequest {
  readonly git: GitCommand
  readonly clock: Clock
  /** A folder on the same disk, in which the quarantine is made. */
  readonly incoming: string
  readonly target: BareRepository
  readonly source: CloneSource
  readonly ids: readonly string[]
  /** What may be kept of one fetch. */
  readonly maxBytes: number
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

export interface FetchReport {
  readonly outcome: FetchOutcome
  readonly bytes: number
}

const watchMs = 250

/**
 * Fetches objects by their ids into a repository of its own, which shows what the target has, and moves them over once git
 * has checked them and found nothing missing. What is too big, broken or of no use never reaches the target.
 */
export async function fetchObjects(request: FetchRequest): Promise<FetchReport> {
  const { git, incoming, target, signal } = request
  const format = await target.format(signal)
  const ids = request.ids.filter((id) => formatOf(id) === format)
  if (ids.length === 0) return { outcome: 'nothing', bytes: 0 }
  const path = await mkdtemp(join(incoming, 'fetch-'))
  try {
    const quarantine = new BareRepository(join(path, 'objects.git'), git)
    await quarantine.init(format, signal)
    await writeFile(join(quarantine.objects, 'info', 'alternates'), `${target.objects}\n`)
    const outcome = await fetchInto(quarantine, { ...request, ids })
    if (outcome !== 'complete' && outcome !== 'partial') return { outcome, bytes: 0 }
    const packs = join(quarantine.objects, 'pack')
    const bytes = await folderBytes(packs)
    await target.adoptPacks(packs)
    return { outcome, bytes }
  } finally {
    await rm(path, { recursive: true, force: true })
  }
}

/** Again and again without what the server says it lacks: one id it does not have must not cost the others. */
async function fetchInto(quarantine: BareRepository, request: FetchRequest): Promise<FetchOutcome> {
  const { git, clock, source, maxBytes, timeoutMs, signal } = request
  const asked = new Set(request.ids)
  const deadline = clock.monotonic() + timeoutMs
  while (asked.size > 0) {
    const tooBig = new AbortController()
    const ended = new AbortController()
    const watching = watch(join(quarantine.objects, 'pack'), maxBytes, tooBig, clock, ended.signal)
    const args = ['--no-tags', '--no-write-fetch-head', '--no-auto-maintenance', '--no-recurse-submodules']
    const result = await git.run(['fetch', '--quiet', ...args, '--stdin', '--', source.url], {
      gitDir: quarantine.path,
      input: [...asked].map((id) => `${id}\n`).join(''),
      config: source.config,
      signal: AbortSignal.any([signal, tooBig.signal]),
      timeoutMs: Math.max(0, deadline - clock.monotonic()),
      isRemote: true,
    })
    ended.abort()
    await watching
    if (tooBig.signal.aborted) return 'too-big'
    if (result.code === 0) {
      if ((await folderBytes(join(quarantine.objects, 'pack'))) > maxBytes) return 'too-big'
      return asked.size === request.ids.length ? 'complete' : 'partial'
    }
    const refused = refusedId(result.stderr)
    if (refused === undefined || !asked.delete(refused)) return failureOf(result)
  }
  return 'nothing'
}

async function watch(
  folder: string,
  maxBytes: number,
  tooBig: AbortController,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted && !tooBig.signal.aborted) {
    await clock.sleep(watchMs, signal).catch(() => {})
    if (!signal.aborted && (await folderBytes(folder)) > maxBytes) tooBig.abort()
  }
}
