import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { RepositoryState } from '../grasp/repository-state.ts'
import type { GitCommand, GitResult } from './git-command.ts'
import { planRefs } from './ref-plan.ts'

/** A run of git on our own disk that should not have failed. */
class GitFailure extends Error {
  override readonly name = 'GitFailure'

  constructor(what: string, { stderr, stopped }: GitResult) {
    super(`git ${what}: ${stopped ?? (stderr.trim().slice(0, 500) || 'it failed without a word')}`)
  }
}

export type ObjectFormat = 'sha1' | 'sha256'

/** The kind of repository that holds an object of this id. */
export function formatOf(id: string): ObjectFormat {
  return id.length === 64 ? 'sha256' : 'sha1'
}

/** One repository without a working copy, made and written by this node alone; all of its objects lie in packs. */
export class BareRepository {
  readonly path: string
  readonly #git: GitCommand

  constructor(path: string, git: GitCommand) {
    this.path = path
    this.#git = git
  }

  get objects(): string {
    return join(this.path, 'objects')
  }

  /** `HEAD` is written last of all by `git init`, and never taken away. */
  exists(): Promise<boolean> {
    return stat(join(this.path, 'HEAD')).then(
      () => true,
      () => false,
    )
  }

  /** Without a template: a hook that a machine's own template holds would run here. What exists is left as it is. */
  async init(format: ObjectFormat, signal: AbortSignal): Promise<void> {
    if (await this.exists()) return
    await mkdir(dirname(this.path), { recursive: true, mode: 0o700 })
    const args = ['init', '--quiet', '--bare', '--template=', `--object-format=${format}`, '--', this.path]
    const result = await this.#git.run(args, { signal })
    if (result.code !== 0) throw new GitFailure('init', result)
  }

  async format(signal: AbortSignal): Promise<ObjectFormat> {
    const { stdout } = await this.#must(['rev-parse', '--show-object-format'], signal)
    return stdout.trim() === 'sha256' ? 'sha256' : 'sha1'
  }

  /** The objects among `ids` that are here, each with its type. */
  async types(ids: Iterable<string>, signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
    const asked = [...new Set(ids)]
    if (asked.length === 0 || !(await this.exists())) return new Map()
    const args = ['cat-file', '--batch-check=%(objectname) %(objecttype)']
    const { stdout } = await this.#must(args, signal, asked.map((id) => `${id}\n`).join(''))
    return new Map(
      stdout.split('\n').flatMap((line) => {
        const [, id, type] = /^([0-9a-f]{40,64}) (commit|tree|blob|tag)$/.exec(line) ?? []
        return id === undefined || type === undefined ? [] : [[id, type] as const]
      }),
    )
  }

  /** By full name; only those below the given prefixes. */
  async refs(prefixes: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
    const args = ['for-each-ref', '--format=%(objectname) %(refname)', '--', ...prefixes]
    const { stdout } = await this.#must(args, signal)
    return new Map(
      stdout.split('\n').flatMap((line) => {
        const at = line.indexOf(' ')
        return at < 0 ? [] : [[line.slice(at + 1), line.slice(0, at)] as const]
      }),
    )
  }

  /** Branches and tags become those of the state, and nothing else is touched. Answers whether anything changed. */
  async align(state: RepositoryState, signal: AbortSignal): Promise<boolean> {
    const current = await this.refs(['refs/heads/', 'refs/tags/'], signal)
    const types = await this.types(state.refs.values(), signal)
    const { remove, put, head } = planRefs(state, current, types)
    // First what goes: a folder cannot become a file in one transaction.
    await this.#updateRefs(
      remove.map((name) => `delete ${name}\0\0`),
      signal,
    )
    await this.#updateRefs(
      [...put].map(([name, id]) => `update ${name}\0${id}\0\0`),
      signal,
    )
    if (head !== undefined) await this.#must(['symbolic-ref', 'HEAD', head], signal)
    return remove.length + put.size > 0
  }

  /** @param name checked by the caller to be one of ours, such as `refs/nostr/<event-id>` */
  async putRef(name: string, id: string, signal: AbortSignal): Promise<void> {
    await this.#updateRefs([`update ${name}\0${id}\0\0`], signal)
  }

  /** Copies `ids` and all they need from here into another repository. */
  async copyTo(target: BareRepository, ids: readonly string[], signal: AbortSignal): Promise<void> {
    if (ids.length === 0) return
    const theirs = (await target.refs(['refs/'], signal)).values()
    const shared = (await this.types(theirs, signal)).keys()
    const input = [...ids, ...shared.map((id) => `^${id}`)].map((line) => `${line}\n`).join('')
    await mkdir(join(target.objects, 'pack'), { recursive: true })
    await this.#must(
      ['pack-objects', '--quiet', '--revs', join(target.objects, 'pack', 'pack')],
      signal,
      input,
    )
  }

  /** Takes over the packs of a quarantine. The index goes last: a pack without one is not looked at. */
  async adoptPacks(folder: string): Promise<void> {
    const names = (await filesOf(folder)).filter((name) => /^pack-[0-9a-f]+\.(?:pack|rev|idx)$/.test(name))
    const order = ['.pack', '.rev', '.idx']
    await mkdir(join(this.objects, 'pack'), { recursive: true })
    for (const ending of order)
      for (const name of names)
        if (name.endsWith(ending)) await rename(join(folder, name), join(this.objects, 'pack', name))
  }

  /** Bytes of its packs. */
  size(): Promise<number> {
    return folderBytes(join(this.objects, 'pack'))
  }

  async #updateRefs(commands: readonly string[], signal: AbortSignal): Promise<void> {
    if (commands.length === 0) return
    const run = { gitDir: this.path, input: commands.join(''), signal }
    const args = ['update-ref', '-z', '--stdin']
    const first = await this.#git.run(args, run)
    if (first.code === 0) return
    signal.throwIfAborted()
    if (!/\.lock': File exists/.test(first.stderr)) throw new GitFailure('update-ref', first)
    await this.#unlock()
    await this.#must(args, signal, run.input)
  }

  /** Nobody but this process writes refs here, one run at a time: a lock that is found was left by one that was killed. */
  async #unlock(): Promise<void> {
    const below = await readdir(join(this.path, 'refs'), { recursive: true })
    const names = ['HEAD', 'packed-refs', ...below.map((name) => join('refs', name))]
    const locks = new Set(names.map((name) => (name.endsWith('.lock') ? name : `${name}.lock`)))
    for (const name of locks) await rm(join(this.path, name), { force: true })
  }

  async #must(args: readonly string[], signal: AbortSignal, input?: string): Promise<GitResult> {
    const result = await this.#git.run(args, { gitDir: this.path, input, signal })
    if (result.code === 0) return result
    signal.throwIfAborted()
    throw new GitFailure(args[0] ?? '', result)
  }
}

async function filesOf(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch(() => [])
}

/** Of the files right in it; files that go meanwhile count nothing. */
export async function folderBytes(folder: string): Promise<number> {
  const sizes = (await filesOf(folder)).map((name) =>
    stat(join(folder, name)).then(
      ({ size }) => size,
      () => 0,
    ),
  )
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
}
