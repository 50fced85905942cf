import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export interface BenchServer extends Disposable {
  readonly url: string
  readonly pid: number
}

/** A rows server as a process of its own, ready to be asked. */
export async function startServer(databaseUrl: string): Promise<BenchServer> {
  const script = fileURLToPath(new URL('server-process.ts', import.meta.url))
  const child = spawn(process.execPath, [script, databaseUrl], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [port] = (await once(child.stdout, 'data')) as [Buffer]
  return {
    url: `http://127.0.0.1:${port.toString().trim()}`,
    pid: child.pid!,
    [Symbol.dispose]: () => child.kill(),
  }
}
