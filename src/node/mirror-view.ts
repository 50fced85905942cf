import type { HealthRecord } from '../kernel/health.ts'
import { unknownHealth } from '../kernel/health.ts'
import { initialRun, type RunRecord, totals } from '../kernel/run.ts'
import type { Store } from '../kernel/store.ts'
import type { MirroredRelayMetrics } from '../telemetry/mirror-metrics.ts'
import { isMirrored, mirrorRetry } from './mirrored-relays.ts'

/** Every mirrored relay as it is now, for metrics and status. @param now wall ms */
export function mirroredRelays<Tx>(store: Store<Tx>, now: number): Promise<readonly MirroredRelayMetrics[]> {
  return store.read(async (tx) => {
    const byPeer = Map.groupBy(await store.links.list(tx), ({ peer }) => peer)
    const relays: MirroredRelayMetrics[] = []
    for (const peer of await store.peers.list(tx)) {
      if (!isMirrored(peer)) continue
      const runs: RunRecord[] = []
      for (const { id } of byPeer.get(peer.id) ?? []) runs.push((await store.links.run(tx, id)) ?? initialRun)
      const health = (await store.peers.health(tx, peer.id)) ?? unknownHealth
      relays.push(view(peer.name, runs, health, now))
    }
    return relays
  })
}

function view(
  relay: string,
  runs: readonly RunRecord[],
  health: HealthRecord,
  now: number,
): MirroredRelayMetrics {
  const connection = connectionOf(runs)
  const sum = (name: string) => runs.reduce((all, run) => all + (totals(run)[name] ?? 0), 0)
  const [connected, ended] = [sum('connects'), sum('reconnects')]
  const isOpen = connection !== 'disconnected' && connection !== 'connecting'
  return {
    relay,
    connection,
    health: healthOf(health, isOpen, now),
    failures: health.consecutiveFailures,
    connected,
    // Every end is counted, also of what never began: less those that had begun, it is what failed.
    failedToConnect: Math.max(0, ended - (connected - Number(isOpen))),
    accepted: sum('accepted'),
  }
}

function connectionOf(runs: readonly RunRecord[]): MirroredRelayMetrics['connection'] {
  const active = runs.filter(({ state }) => state === 'running')
  const open = active.filter(({ progress }) => progress !== undefined && progress.phase !== 'connecting')
  if (open.length === 0) return active.length === 0 ? 'disconnected' : 'connecting'
  if (open.some(({ progress }) => progress?.phase !== 'live')) return 'syncing'
  return runs.some(({ fault }) => fault !== undefined) ? 'connected-with-failures' : 'connected'
}

function healthOf(health: HealthRecord, isOpen: boolean, now: number): MirroredRelayMetrics['health'] {
  const { notBefore, lastError, firstFailureAt, consecutiveFailures } = health
  if (notBefore !== undefined && now < notBefore && lastError?.code === 'peer/busy') return 'rate-limited'
  const { dead } = mirrorRetry
  if (firstFailureAt !== undefined && dead && now - firstFailureAt >= dead.afterMs) return 'dead'
  if (consecutiveFailures > 0) return 'degraded'
  return isOpen ? 'healthy' : 'disconnected'
}
