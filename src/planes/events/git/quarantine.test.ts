import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { git, sourceRepository, startGitServer, withoutGit } from '../../../../test/helpers/git-server.ts'
import { temporaryFolder } from '../../../../test/helpers/temporary-folder.ts'
import { systemClock } from '../../../kernel/clock.ts'
import { BareRepository } from './bare-repository.ts'
import { GitCommand } from './git-command.ts'
import { fetchObjects } from './quarantine.ts'

const signal = new AbortController().signal
const absent = 'd'.repeat(40)

async function world() {
  const folder = await temporaryFolder()
  const command = new GitCommand(systemClock)
  const target = new BareRepository(folder.join('target.git'), command)
  await target.init('sha1', signal)
  const incoming = folder.join('incoming')
  mkdirSync(incoming)
  const fetch = (url: string, ids: readonly string[], limits = {}) =>
    fetchObjects({
      git: command,
      clock: systemClock,
      incoming,
      target,
      source: { url, config: [] },
      ids,
      maxBytes: 1e8,
      timeoutMs: 60_000,
      signal,
      ...limits,
    })
  return {
    target,
    fetch,
    incoming,
    folder,
    has: async (id: string) => (await target.types([id], signal)).has(id),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  }
}

test('P-97 objects are fetched by their ids, and one that the server does not have costs none of the others', {
  skip: withoutGit,
}, async () => {
  await using server = await startGitServer()
  const source = server.repository('tool')
  const first = source.commit('main', 'one')
  const second = source.commit('dev', 'two', first)
  await using here = await world()
  const { outcome, bytes } = await here.fetch(server.url('tool'), [first, absent, second])
  assert.equal(outcome, 'partial')
  assert.ok(bytes > 0)
  assert.deepEqual(
    [await here.has(first), await here.has(second), await here.has(absent)],
    [true, true, false],
  )
  assert.deepEqual(await here.fetch(server.url('tool'), [absent]), { outcome: 'nothing', bytes: 0 })
  assert.deepEqual(readdirSync(here.incoming), [], 'no quarantine is left')
})

test('P-97 what is here already is not fetched again', { skip: withoutGit }, async () => {
  await using server = await startGitServer()
  const source = server.repository('tool')
  const noise = Buffer.from(Array.from({ length: 200_000 }, () => Math.floor(Math.random() * 256)))
  const first = source.commit('main', noise)
  await using here = await world()
  await here.fetch(server.url('tool'), [first])
  await here.target.putRef('refs/heads/main', first, signal)
  const second = source.commit('main', 'small', first)
  const { outcome, bytes } = await here.fetch(server.url('tool'), [second])
  assert.equal(outcome, 'complete')
  assert.ok(bytes < 20_000, `${bytes} bytes came for a commit with one small file`)
})

test('P-91 a repository larger than its room is given up, and nothing of it is kept', {
  skip: withoutGit,
}, async () => {
  await using server = await startGitServer()
  const noise = Buffer.from(Array.from({ length: 2_000_000 }, () => Math.floor(Math.random() * 256)))
  const huge = server.repository('huge').commit('main', noise)
  await using here = await world()
  assert.deepEqual(await here.fetch(server.url('huge'), [huge], { maxBytes: 100_000 }), {
    outcome: 'too-big',
    bytes: 0,
  })
  assert.equal(await here.has(huge), false)
  assert.equal(await here.target.size(), 0)
  assert.deepEqual(readdirSync(here.incoming), [])
})

test('P-91 a server that never answers costs its time and no more', { skip: withoutGit }, async () => {
  await using server = await startGitServer(() => true)
  await using here = await world()
  const { outcome } = await here.fetch(server.url('tool'), [absent], { timeoutMs: 1_500 })
  assert.equal(outcome, 'timeout')
  const stop = new AbortController()
  await using quiet = await startGitServer(() => {
    stop.abort()
    return true
  })
  const aborted = await here.fetch(quiet.url('tool'), [absent], { signal: stop.signal })
  assert.equal(aborted.outcome, 'aborted')
})

test('P-91 a redirect is not followed, wherever it leads', { skip: withoutGit }, async () => {
  await using inside = await startGitServer()
  const secret = inside.repository('tool').commit('main', 'secret')
  await using outside = await startGitServer((request, response) => {
    response.writeHead(302, { location: `http://127.0.0.1:${inside.port}${request.url}` }).end()
    return true
  })
  await using here = await world()
  const { outcome } = await here.fetch(outside.url('tool'), [secret])
  assert.equal(outcome, 'failed')
  assert.deepEqual(inside.requests, [], 'the private server was never asked')
  assert.equal(await here.has(secret), false)
})

test('P-91 a server that sends other objects than those asked for changes nothing here', {
  skip: withoutGit,
}, async () => {
  await using folder = await temporaryFolder()
  const other = sourceRepository(folder.join('other.git'))
  const wrong = other.commit('main', 'something else')
  const pack = git(other.gitDir, ['pack-objects', '--revs', folder.join('wrong')], `${wrong}\n`)
  assert.match(pack, /^[0-9a-f]{40}$/)
  const bytes = readFileSync(folder.join(`wrong-${pack}.pack`))
  const line = (data: Buffer | string) => {
    const body = Buffer.from(data)
    return Buffer.concat([Buffer.from((body.length + 4).toString(16).padStart(4, '0')), body])
  }
  await using server = await startGitServer((request, response) => {
    const isPost = request.method === 'POST'
    const kind = isPost ? 'result' : 'advertisement'
    response.writeHead(200, { 'content-type': `application/x-git-upload-pack-${kind}` })
    const advertised = [
      line('# service=git-upload-pack\n'),
      '0000',
      line(`${absent} refs/heads/main\0 allow-tip-sha1-in-want allow-reachable-sha1-in-want\n`),
      '0000',
    ]
    const answer = isPost ? [line('NAK\n'), bytes] : advertised
    response.end(Buffer.concat(answer.map((part) => Buffer.from(part))))
    return true
  })
  await using here = await world()
  const { outcome } = await here.fetch(server.url('tool'), [absent])
  assert.equal(outcome, 'failed')
  assert.ok(
    server.requests.some((request) => request.startsWith('POST')),
    'objects were asked for and sent',
  )
  assert.deepEqual([await here.has(absent), await here.has(wrong)], [false, false])
  assert.equal(await here.target.size(), 0)
})

test('P-93 a hook that found its way into a repository never runs', { skip: withoutGit }, async () => {
  await using server = await startGitServer()
  const source = server.repository('tool')
  const commit = source.commit('main', 'one')
  await using here = await world()
  const mark = here.folder.join('ran')
  const hooks = join(here.target.path, 'hooks')
  mkdirSync(hooks, { recursive: true })
  for (const name of [
    'reference-transaction',
    'post-update',
    'post-checkout',
    'pre-auto-gc',
    'post-index-change',
  ]) {
    writeFileSync(join(hooks, name), `#!/bin/sh\ntouch ${mark}\n`)
    chmodSync(join(hooks, name), 0o755)
  }
  await here.fetch(server.url('tool'), [commit])
  await here.target.putRef('refs/heads/main', commit, signal)
  assert.equal(existsSync(mark), false)
  git(here.target.path, ['update-ref', 'refs/heads/other', commit])
  assert.equal(existsSync(mark), true, 'it would have run: the test can fail')
})
