import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const sourceEntry = fileURLToPath(new URL('../../src/cli/syncline.ts', import.meta.url))

export interface RunningNode extends AsyncDisposable {
  readonly url: string
  /** Of the admin listener. */
  readonly admin: string
  readonly pid: number
  kill(signal: NodeJS.Signals): Promise<void>
  /** Peak resident memory so far, MB. */
  peakMb(): Promise<number>
}

/** `syncline up` on a free port in a process of its own. */
export async function startNode(
  data: string,
  flags: readonly string[] = [],
  entry = sourceEntry,
): Promise<RunningNode> {
  const args = [
    'up',
    '--data',
    data,
    '--port',
    '0',
    '--admin-port',
    '0',
    '--log-level',
    'error',
    '--json',
    ...flags,
  ]
  const child = spawn(process.execPath, [entry, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'close')
  const lines = createInterface({ input: child.stdout })
  const [first] = (await Promise.race([once(lines, 'line'), exited])) as [string | number]
  if (typeof first !== 'string') throw new Error(`the node ended with ${first} before it listened`)
  const { url, admin } = JSON.parse(first) as { url: string; admin: string }
  const kill = async (signal: NodeJS.Signals) => {
    child.kill(signal)
    await exited
  }
  return {
    url,
    admin,
    pid: child.pid ?? 0,
    kill,
    peakMb: async () => {
      const status = await readFile(`/proc/${child.pid}/status`, 'utf8')
      return Math.round(Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024)
    },
    [Symbol.asyncDispose]: () =>
      child.exitCode === null && child.signalCode === null ? kill('SIGTERM') : Promise.resolve(),
  }
}
