import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startNode } from '../../test/helpers/running-node.ts'
import { ScriptPeer } from '../../test/helpers/script-peer/script-peer.ts'
import { builtEntry, measuredCommand } from '../harness/measured-command.ts'

const relays = Number(process.env.SYNCLINE_TEST_BENCH_RELAYS ?? 100)
const settleMs = 30_000
const watchMs = 60_000
/** A node that never gets there must fail, not hang. */
const patienceMs = 120_000

/** 100 relays configured, each connected and live, none with anything to say: what waiting costs. */
export async function run(): Promise<Record<string, unknown>> {
  const folder = await mkdtemp(join(tmpdir(), 'syncline-bench-'))
  // One server in this process plays all of them: to the node they are as many URLs, links and connections.
  await using peer = await ScriptPeer.listen()
  try {
    const file = join(folder, 'relays.json')
    const data = join(folder, 'data')
    const list = Array.from({ length: relays }, (_, n) => ({ url: `${peer.url}?relay=${n}` }))
    await writeFile(file, JSON.stringify(list))
    await measuredCommand(['relay', 'import', file, '--profile', 'open', '--data', data])
    await using node = await startNode(data, ['--admin-port', '0'], builtEntry)
    const started = performance.now()
    while (peer.open < relays) {
      if (performance.now() - started > patienceMs) throw new Error(`only ${peer.open} relays are connected`)
      await sleep(100)
    }
    const connectedSeconds = (performance.now() - started) / 1_000
    await sleep(settleMs)
    const before = await usage(node.pid)
    await sleep(watchMs)
    const after = await usage(node.pid)
    return {
      relays,
      connected: peer.open,
      connectedSeconds: Number(connectedSeconds.toFixed(1)),
      cpuPercent: Number((((after.cpuSeconds - before.cpuSeconds) / (watchMs / 1_000)) * 100).toFixed(2)),
      residentMb: after.residentMb,
      peakMb: await node.peakMb(),
      watchedSeconds: watchMs / 1_000,
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** User and system CPU of all threads, and what is resident now. */
async function usage(pid: number): Promise<{ readonly cpuSeconds: number; readonly residentMb: number }> {
  const [status, stat] = await Promise.all([
    readFile(`/proc/${pid}/status`, 'utf8'),
    readFile(`/proc/${pid}/stat`, 'utf8'),
  ])
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const residentKb = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0)
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / 100,
    residentMb: Math.round(residentKb / 1024),
  }
}
