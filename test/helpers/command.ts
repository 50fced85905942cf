import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { main } from '../../src/cli/main.ts'

const entry = fileURLToPath(new URL('../../src/cli/syncline.ts', import.meta.url))

export interface CommandResult {
  /** Null when a signal ended it. */
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Starts one command of the CLI as a process of its own. */
export function startCommand(
  args: readonly string[],
  input?: string,
  /** Options of Node itself. */
  nodeOptions: readonly string[] = [],
): { child: ChildProcess; result: Promise<CommandResult> } {
  const child = spawn(process.execPath, [...nodeOptions, entry, ...args], { stdio: ['pipe', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  // A command may end without reading its input; that is its right, and no failure of the test.
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  const result = once(child, 'close').then(([code]) => ({ code: code as number | null, stdout, stderr }))
  return { child, result }
}

export const runCommand = (args: readonly string[], input?: string): Promise<CommandResult> =>
  startCommand(args, input).result

/** The same in this process, which is much cheaper: where nothing is asked of the process itself, such as `up` and signals. */
export async function callCommand(args: readonly string[], input = ''): Promise<CommandResult> {
  const written = { stdout: '', stderr: '' }
  const collecting = (name: keyof typeof written) =>
    new Writable({
      decodeStrings: false,
      write(text: string | Buffer, _encoding, done) {
        written[name] += String(text)
        done()
      },
    })
  const [stdout, stderr] = [collecting('stdout'), collecting('stderr')]
  const code = await main(args, {
    stdin: Readable.from(input === '' ? [] : [Buffer.from(input)]),
    stdout,
    stderr,
  })
  return { code, ...written }
}
