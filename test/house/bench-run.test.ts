import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { it } from 'node:test'
import { fileURLToPath } from 'node:url'

const runner = fileURLToPath(new URL('../../bench/run.ts', import.meta.url))
const run = (...names: string[]) => spawnSync(process.execPath, [runner, ...names], { encoding: 'utf8' })

it('the bench runner lists the benches when none is named', () => {
  const { status, stdout } = run()
  assert.equal(status, 0)
  assert.match(stdout, /^usage: npm run bench -- NAME/)
})

it('the bench runner refuses a name it does not know, before it runs any', () => {
  const { status, stdout, stderr } = run('no-such-bench')
  assert.equal(status, 2)
  assert.equal(stdout, '')
  assert.match(stderr, /no bench named no-such-bench/)
})
