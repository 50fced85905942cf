import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Registry } from 'prom-client'
import { GitMetrics } from './git-metrics.ts'

const snapshot = {
  fetches: { complete: 3, timeout: 1 },
  bytes: 4_096,
  objects: 7,
  queued: 2,
  running: 1,
  throttled: 0,
  naughty: 5,
  failures: 0,
}

test('P-101 git data is counted under the names of ngit-grasp, and a scrape tells what is so, not what was added', async () => {
  const registry = new Registry()
  const metrics = new GitMetrics(registry)
  for (let i = 0; i < 2; i++) {
    metrics.set(snapshot)
    const text = await registry.metrics()
    assert.match(text, /^ngit_git_operations_total\{operation="fetch",status="complete"\} 3$/m)
    assert.match(text, /^ngit_git_bytes_total\{direction="in"\} 4096$/m)
    assert.match(text, /^syncline_git_repositories\{state="queued"\} 2$/m)
    assert.match(text, /^syncline_git_naughty_hosts 5$/m)
  }
  metrics.set(undefined)
  assert.doesNotMatch(await registry.metrics(), /^ngit_git_operations_total\{/m)
})
