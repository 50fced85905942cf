import { healthState } from '../kernel/health.ts'
import type { ServerEntry } from '../node/sync/server-directory.ts'
import { number, proofLine } from './progress-line.ts'
import { ago, until } from './time-words.ts'

/** A relay and its links for a person: what it is doing, how far it is, what went wrong last, when it tries again. */
export function relayLines({ peer, health, links }: ServerEntry, now: number): string[] {
  const url = peer.addresses[0]?.value ?? ''
  const state = peer.enabled ? healthWords[healthState(health)] : 'disabled'
  const lines = [`${peer.name === url ? url : `${peer.name} (${url})`}: ${state}`]
  for (const { link, run, outbox } of links) {
    const filter = link.scopeKey === '{}' ? 'everything' : link.scopeKey
    const how = link.live
      ? 'live'
      : link.schedule === undefined
        ? 'on demand'
        : `on schedule ${link.schedule}`
    lines.push(`  ${link.direction} ${filter}, ${how}: ${doing(run, now)}`)
    if (run.proof !== undefined) lines.push(`    ${proofLine(run.proof)}`)
    if (outbox.pending > 0) lines.push(`    ${number(outbox.pending)} events wait to be sent again`)
    if (outbox.dead > 0) lines.push(`    ${number(outbox.dead)} events were refused there for good`)
  }
  if (health.lastError !== undefined) {
    lines.push(
      `  last error ${ago(health.lastError.at, now)}: ${health.lastError.message} [${health.lastError.code}]`,
    )
  }
  return lines
}

const healthWords = {
  unknown: 'not tried yet',
  healthy: 'healthy',
  failing: 'failing',
  down: 'down',
} as const

function doing(run: ServerEntry['links'][number]['run'], now: number): string {
  const caughtUp =
    run.caughtUpAt === undefined ? 'never caught up yet' : `caught up ${ago(run.caughtUpAt, now)}`
  switch (run.state) {
    case 'running':
      return `${run.progress?.phase ?? 'starting'}, ${number(run.progress?.done ?? 0)} events, ${caughtUp}`
    case 'waiting':
      return `${run.reason}; tries again ${run.dueAt === undefined ? 'later' : until(run.dueAt, now)}, ${caughtUp}`
    case 'blocked':
      return `needs you: ${run.reason}`
    case 'paused':
      return `paused, ${caughtUp}`
    case 'idle':
      return caughtUp
  }
}
