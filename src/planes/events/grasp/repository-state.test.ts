import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hex, unsigned } from '../../../../test/helpers/git-events.ts'
import { isNewerState, parseState } from './repository-state.ts'

const commit = 'a'.repeat(40)

test('P-92 branches and tags with an object are refs; symbolic and peeled ones need none', () => {
  const tags = [
    ['d', 'tool'],
    ['refs/heads/main', commit],
    ['refs/heads/feature/x-1', 'b'.repeat(64)],
    ['refs/tags/v1', commit],
    ['refs/tags/v1^{}', commit],
    ['refs/heads/alias', 'ref: refs/heads/main'],
    ['HEAD', 'ref: refs/heads/main'],
  ]
  const state = parseState(unsigned(30_618, tags))
  assert.deepEqual(
    [...(state?.refs.keys() ?? [])],
    ['refs/heads/main', 'refs/heads/feature/x-1', 'refs/tags/v1'],
  )
  assert.equal(state?.head, 'refs/heads/main')
  assert.equal(
    parseState(
      unsigned(30_618, [
        ['d', 'x'],
        ['HEAD', 'refs/heads/dev'],
      ]),
    )?.head,
    'refs/heads/dev',
  )
})

test('P-93 nothing outside of heads and tags is a ref, nor what git would refuse or what leads out of its folder', () => {
  const names = [
    'refs/nostr/x',
    'refs/heads/',
    'HEAD',
    'refs/heads/../../hooks/pre-receive',
    'refs/heads/.hidden',
    'refs/heads/a..b',
    'refs/heads/a b',
    'refs/heads/a~1',
    'refs/heads/a^',
    'refs/heads/a:b',
    'refs/heads/a\\b',
    'refs/heads/a.lock',
    'refs/heads/a.lock/b',
    'refs/heads/a/',
    'refs/heads//a',
    'refs/heads/a.',
    'refs/heads/a@{1}',
    'refs/heads/a\n',
    `refs/heads/${'x'.repeat(1_100)}`,
  ]
  const state = parseState(unsigned(30_618, [['d', 'x'], ...names.map((name) => [name, commit])]))
  assert.deepEqual([...(state?.refs.keys() ?? [])], [])
  for (const value of ['', 'abc', 'A'.repeat(40), `${commit}0`, '--upload-pack=x'])
    assert.equal(
      parseState(
        unsigned(30_618, [
          ['d', 'x'],
          ['refs/heads/a', value],
        ]),
      )?.refs.size,
      0,
      value,
    )
})

test('what names no repository is no state', () => {
  assert.equal(parseState(unsigned(30_618, [['refs/heads/a', commit]])), undefined)
  assert.equal(parseState(unsigned(30_617, [['d', 'x']])), undefined)
})

test('P-94 the later state stands, of two of one second the one with the lower id', () => {
  const at = (created_at: number, n: number) => unsigned(30_618, [['d', 'x']], { created_at, id: hex(n) })
  assert.equal(isNewerState(at(2, 9), at(1, 1)), true)
  assert.equal(isNewerState(at(1, 1), at(1, 2)), true)
  assert.equal(isNewerState(at(1, 2), at(1, 1)), false)
  assert.equal(isNewerState(at(1, 1), at(1, 1)), false)
})
