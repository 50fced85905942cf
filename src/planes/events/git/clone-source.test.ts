import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startGitServer, withoutGit } from '../../../../test/helpers/git-server.ts'
import { systemClock } from '../../../kernel/clock.ts'
import { type AddressRules, cloneUrl, pinnedSource } from './clone-source.ts'
import { GitCommand } from './git-command.ts'

const rules = (addresses: readonly string[], isAllowed = (_: string) => true): AddressRules => ({
  resolve: () => Promise.resolve(addresses),
  isAllowed,
})

test('P-95 only web addresses without credentials are clone URLs', () => {
  const refused = [
    'ssh://git@host.org/x',
    'git@host.org:x.git',
    'ext::sh -c touch% x',
    'file:///etc',
    '/etc',
    '--upload-pack=x',
    'https://user@host.org/x',
    'https://user:secret@host.org/x',
    `https://host.org/${'x'.repeat(3_000)}`,
    // To curl these are instructions about what is pinned.
    'https://+host.org/x',
    'https://-host.org/x',
    'https://*/x',
  ]
  for (const text of refused) assert.equal(cloneUrl(text), undefined, text)
  for (const text of ['https://host.org/x.git', 'http://127.0.0.1:8080/x', 'http://[::1]/x'])
    assert.equal(cloneUrl(text)?.href, text)
  assert.equal(cloneUrl('https://HOST.org./x#y')?.href, 'https://host.org/x')
})

test('P-95 git is held to the addresses that were looked at, and a host without one is not asked', async () => {
  const url = new URL('https://host.org/x.git')
  const isAllowed = (address: string) => address !== '10.0.0.1'
  const source = await pinnedSource(url, rules(['10.0.0.1', '192.0.2.1', '2001:db8::1'], isAllowed))
  assert.deepEqual(source?.config, ['http.curloptResolve=host.org:443:192.0.2.1,[2001:db8::1]'])
  assert.equal(await pinnedSource(url, rules(['10.0.0.1'], isAllowed)), undefined)
  const literal = new URL('http://10.0.0.1/x.git')
  assert.equal(await pinnedSource(literal, rules(['192.0.2.1'], isAllowed)), undefined)
})

test('P-95 a name is reached at its pinned address, whatever a resolver would say', {
  skip: withoutGit,
}, async () => {
  await using server = await startGitServer()
  server.repository('tool').commit('main', 'one')
  const url = cloneUrl(`http://pinned.invalid:${server.port}/tool.git`)!
  const source = (await pinnedSource(url, rules(['127.0.0.1'])))!
  const { signal } = new AbortController()
  const args = ['ls-remote', '--', source.url]
  const git = new GitCommand(systemClock)
  const pinned = await git.run(args, { config: source.config, signal })
  assert.match(pinned.stdout, /refs\/heads\/main/, pinned.stderr)
  assert.notEqual((await git.run(args, { signal })).code, 0, 'the name alone leads nowhere')
})
