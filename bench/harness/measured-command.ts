import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

/** The build, which is what is published: running the sources costs tens of megabytes more for reading types. */
export const builtEntry = fileURLToPath(new URL('../../dist/cli/syncline.js', import.meta.url))

export interface Measured {
  readonly seconds: number
  /** Peak resident memory of the process, MB. */
  readonly peakMb: number
  /** User and system CPU, seconds, of all its threads. */
  readonly cpuSeconds: number
  readonly output: unknown
}

/** Runs one command of the CLI in a process of its own and measures it whole, start-up included. */
export async function measuredCommand(args: readonly string[]): Promise<Measured> {
  const started = performance.now()
  const child = spawn(process.execPath, [builtEntry, ...args, '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  let usage = { peakMb: 0, cpuSeconds: 0 }
  const watch = setInterval(() => {
    usageOf(child.pid).then(
      ({ peakMb, cpuSeconds }) => {
        // A process that is ending has no memory any more and still answers.
        usage = {
          peakMb: Math.max(usage.peakMb, peakMb),
          cpuSeconds: Math.max(usage.cpuSeconds, cpuSeconds),
        }
      },
      () => {},
    )
  }, 50)
  const [code] = await once(child, 'close')
  clearInterval(watch)
  if (code !== 0) throw new Error(`syncline ${args.join(' ')} ended with ${code}: ${output}`)
  return { seconds: (performance.now() - started) / 1000, ...usage, output: JSON.parse(output) }
}

/** VmHWM is the kernel's own high-water mark, so polling cannot miss the peak by more than its last moment. */
export async function usageOf(pid: number | undefined): Promise<{ peakMb: number; cpuSeconds: number }> {
  const [status, stat] = await Promise.all([
    readFile(`/proc/${pid}/status`, 'utf8'),
    readFile(`/proc/${pid}/stat`, 'utf8'),
  ])
  const peakKb = Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0)
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticks = Number(fields[11]) + Number(fields[12])
  return { peakMb: Math.round(peakKb / 1024), cpuSeconds: ticks / 100 }
}
