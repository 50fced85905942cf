import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Clock } from '../../../kernel/clock.ts'
import { Turns } from './turns.ts'

/** Why a run of git was ended before its time. */
export type GitStop = 'timeout' | 'output' | 'aborted'

export interface GitResult {
  /** 0: it did what it was asked. Undefined: it was killed, or could not be started. */
  readonly code: number | undefined
  readonly stdout: string
  /** English, as the environment asks for no other language; its first part. */
  readonly stderr: string
  readonly stopped: GitStop | undefined
}

export interface GitRun {
  /** The repository; undefined for what needs none. */
  readonly gitDir?: string | undefined
  readonly input?: string | undefined
  /** More settings, each `name=value`. */
  readonly config?: readonly string[] | undefined
  readonly signal: AbortSignal
  readonly timeoutMs?: number | undefined
  /** It speaks to another machine: it may take long, and has turns of its own. */
  readonly isRemote?: boolean | undefined
}

/** Wall clock of what touches no network; a repository of some gigabytes is listed and repacked in that. */
const defaultTimeoutMs = 120_000
/** How long a process that was asked to end may take. */
const graceMs = 2_000
/** Processes at the same time; an audit of thousands of repositories must not be felt by anything else here. */
const localAtOnce = 4
const remoteAtOnce = 32
const maxStdoutBytes = 32 * 1024 * 1024
const maxStderrBytes = 64 * 1024

/**
 * What every run is told, whatever the machine's own configuration says: no program but git, no protocol but HTTP, no other
 * host than the one asked, objects checked before they are kept, silence given up. What fsck is told to pass over is
 * harmless and found in the history of many old repositories.
 */
const settings = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.askPass=false',
  'core.logAllRefUpdates=false',
  'core.bigFileThreshold=32m',
  'credential.helper=',
  'protocol.allow=never',
  'protocol.http.allow=always',
  'protocol.https.allow=always',
  'http.followRedirects=false',
  'http.proxy=',
  'http.lowSpeedLimit=1000',
  'http.lowSpeedTime=30',
  'transfer.fsckObjects=true',
  'fetch.fsckObjects=true',
  'fetch.fsck.missingSpaceBeforeDate=ignore',
  'fetch.fsck.badTimezone=ignore',
  'fetch.fsck.zeroPaddedFilemode=ignore',
  'fetch.unpackLimit=1',
  'transfer.bundleURI=false',
  'submodule.recurse=false',
  'gc.auto=0',
  'maintenance.auto=false',
  'pack.threads=1',
]

/** Runs the machine's git, and nothing it could be talked into running. */
export class GitCommand {
  readonly #clock: Clock
  readonly #local = new Turns(localAtOnce)
  readonly #remote = new Turns(remoteAtOnce)

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * Never rejects. Ended with its children on abort, after `timeoutMs`, and when it says more than anybody reads.
   *
   * @param args values that come from data stand behind a `--`, or are checked to be object ids
   */
  async run(args: readonly string[], run: GitRun): Promise<GitResult> {
    const turns = run.isRemote === true ? this.#remote : this.#local
    const turn = await turns.take(run.signal).catch(() => undefined)
    if (turn === undefined) return { code: undefined, stdout: '', stderr: '', stopped: 'aborted' }
    using _turn = turn
    return await this.#spawn(args, run)
  }

  async #spawn(
    args: readonly string[],
    { gitDir, input = '', config = [], signal, timeoutMs = defaultTimeoutMs }: GitRun,
  ): Promise<GitResult> {
    const given = [...settings, ...config].flatMap((setting) => ['-c', setting])
    const where = gitDir === undefined ? [] : [`--git-dir=${gitDir}`]
    // A group of its own: git's helpers, which hold the socket, are its children and die with it.
    const child = spawn('git', [...given, ...where, ...args], {
      env: environment(),
      cwd: '/',
      detached: true,
      windowsHide: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    const ended = new AbortController()
    let stopped: GitStop | undefined
    const stop = (why: GitStop) => {
      if (stopped !== undefined) return
      stopped = why
      // Asked first: git then takes its lock files away, which would keep everybody else out for ever.
      signalGroup(child.pid, 'SIGTERM')
      void this.#clock.sleep(graceMs, ended.signal).then(
        () => signalGroup(child.pid, 'SIGKILL'),
        () => {},
      )
    }
    const onAbort = () => stop('aborted')
    signal.addEventListener('abort', onAbort, { once: true })
    void this.#clock.sleep(timeoutMs, ended.signal).then(
      () => stop('timeout'),
      () => {},
    )
    const stdout = collect(child.stdout, maxStdoutBytes, () => stop('output'))
    const stderr = collect(child.stderr, maxStderrBytes, () => {})
    child.stdin.on('error', () => {})
    child.stdin.end(input)
    try {
      const [code] = await once(child, 'close')
      return {
        code: stopped === undefined && typeof code === 'number' ? code : undefined,
        stdout: stdout(),
        stderr: stderr(),
        stopped,
      }
    } catch (error) {
      return { code: undefined, stdout: '', stderr: String(error), stopped }
    } finally {
      ended.abort()
      signal.removeEventListener('abort', onAbort)
    }
  }
}

/** Nothing of ours: no proxy that would undo a pinned address, no key, no helper, no home with a `.netrc`. */
function environment(): NodeJS.ProcessEnv {
  const { PATH, SSL_CERT_FILE, SSL_CERT_DIR } = process.env
  return {
    PATH,
    ...(SSL_CERT_FILE !== undefined && { SSL_CERT_FILE }),
    ...(SSL_CERT_DIR !== undefined && { SSL_CERT_DIR }),
    HOME: '/dev/null',
    XDG_CONFIG_HOME: '/dev/null',
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: 'false',
    SSH_ASKPASS: 'false',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_PROTOCOL_FROM_USER: '0',
  }
}

function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, signal)
  } catch {
    // It ended by itself meanwhile.
  }
}

function collect(stream: NodeJS.ReadableStream, maxBytes: number, onOverflow: () => void): () => string {
  const chunks: Buffer[] = []
  let bytes = 0
  stream.on('data', (chunk: Buffer) => {
    if (bytes >= maxBytes) return onOverflow()
    chunks.push(chunk)
    bytes += chunk.length
  })
  return () => Buffer.concat(chunks).toString('utf8')
}

/** What pins a checked address to a name came with this one; an older git would look the name up again by itself. */
const oldest = [2, 37] as const

/** Why git data cannot be kept on this machine; undefined: it can. */
export async function gitProblem(git: GitCommand, signal: AbortSignal): Promise<string | undefined> {
  const { code, stdout } = await git.run(['--version'], { signal })
  const [, major, minor] = /^git version (\d+)\.(\d+)/.exec(stdout) ?? []
  if (code !== 0 || major === undefined || minor === undefined)
    return 'there is no git on this machine; install it to keep git data'
  const isRecent = Number(major) > oldest[0] || (Number(major) === oldest[0] && Number(minor) >= oldest[1])
  if (isRecent) return undefined
  return `git ${major}.${minor} is too old: git data needs ${oldest.join('.')} or later`
}
