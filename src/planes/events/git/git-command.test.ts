import assert from 'node:assert/strict'
import { existsSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { sourceRepository, startGitServer, withoutGit } from '../../../../test/helpers/git-server.ts'
import { temporaryFolder } from '../../../../test/helpers/temporary-folder.ts'
import { systemClock } from '../../../kernel/clock.ts'
import { BareRepository } from './bare-repository.ts'
import { GitCommand } from './git-command.ts'

const real = { skip: withoutGit }
const signal = new AbortController().signal

test(
  'P-91 a server that asks for a password is refused at once, and no helper is asked for one',
  real,
  async () => {
    await using server = await startGitServer((_, response) => {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end()
      return true
    })
    await using folder = await temporaryFolder()
    const mark = folder.join('asked')
    writeFileSync(folder.join('.gitconfig'), `[credential]\n\thelper = "!touch ${mark}"\n`)
    const { HOME } = process.env
    process.env.HOME = folder.path
    try {
      const { code } = await new GitCommand(systemClock).run(['ls-remote', '--', server.url('x')], { signal })
      assert.notEqual(code, 0)
      assert.equal(existsSync(mark), false)
    } finally {
      process.env.HOME = HOME
    }
  },
)

test('P-91 no protocol but the web is spoken', real, async () => {
  await using folder = await temporaryFolder()
  const { gitDir } = sourceRepository(folder.join('local.git'))
  const mark = folder.join('ran')
  const git = new GitCommand(systemClock)
  for (const url of [gitDir, `file://${gitDir}`, `ext::touch ${mark}`, 'git://127.0.0.1:1/x']) {
    const { code, stderr } = await git.run(['ls-remote', '--', url], { signal })
    assert.notEqual(code, 0, url)
    assert.match(stderr, /not allowed/, url)
  }
  assert.equal(existsSync(mark), false)
})

test('P-91 a run that takes too long is ended with its children', real, async () => {
  const closed = Promise.withResolvers<void>()
  await using server = await startGitServer((_, response) => {
    response.on('close', () => closed.resolve())
    return true
  })
  const args = ['ls-remote', '--', server.url('x')]
  const result = await new GitCommand(systemClock).run(args, { signal, timeoutMs: 1_000 })
  assert.deepEqual([result.code, result.stopped], [undefined, 'timeout'])
  // The socket is held by a child of git: it is closed only when that one is gone.
  await closed.promise
})

test('P-93 the lock of a run that was killed keeps nobody out', real, async () => {
  await using folder = await temporaryFolder()
  const source = sourceRepository(folder.join('tool.git'))
  const commit = source.commit('main', 'one')
  for (const name of ['refs/heads/main.lock', 'refs/heads/new.lock', 'packed-refs.lock'])
    writeFileSync(`${source.gitDir}/${name}`, '')
  const repository = new BareRepository(source.gitDir, new GitCommand(systemClock))
  await repository.putRef('refs/heads/main', source.commit('other', 'two', commit), signal)
  await repository.putRef('refs/heads/new', commit, signal)
  assert.equal((await repository.refs(['refs/heads/new'], signal)).size, 1)
})
