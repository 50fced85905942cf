import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hex, unsigned } from '../../../../test/helpers/git-events.ts'
import { type Announcement, listsService, npubOf, parseAnnouncement } from './announcement.ts'
import { maintainersOf, ownersServedBy } from './maintainers.ts'

const owner = '79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798'
const npub = 'npub10xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqpkge6d'

function announce(tags: string[][], pubkey = owner): Announcement {
  const parsed = parseAnnouncement(unsigned(30_617, tags, { pubkey }))
  if (typeof parsed === 'string') throw new Error(parsed)
  return parsed
}

const listing = (relay: string, clone: string, d = 'tool') =>
  announce([
    ['d', d],
    ['relays', 'wss://other.org', relay],
    ['clone', 'https://other.org/x.git', clone],
  ])

test('a public key has the npub of NIP-19', () => assert.equal(npubOf(owner), npub))

test('P-78 a service is listed when relays and clone both name it, and not when only one does', () => {
  const clone = `https://git.example.org/${npub}/tool.git`
  assert.equal(listsService(listing('wss://git.example.org', clone), 'git.example.org'), true)
  assert.equal(listsService(listing('wss://GIT.example.org:443/', `${clone}/`), 'git.example.org'), true)
  assert.equal(listsService(listing('wss://elsewhere.org', clone), 'git.example.org'), false)
  assert.equal(
    listsService(listing('wss://git.example.org', 'https://elsewhere.org/x.git'), 'git.example.org'),
    false,
  )
  const local = `http://127.0.0.1:7777/${npub}/tool.git`
  assert.equal(listsService(listing('ws://127.0.0.1:7777', local), '127.0.0.1:7777'), true)
  assert.equal(listsService(listing('ws://127.0.0.1:7778', local), '127.0.0.1:7777'), false)
})

test('a name that holds ours, another path, or another scheme is not us', () => {
  const domain = 'git.example.org'
  const clone = `https://${domain}/${npub}/tool.git`
  for (const relay of [
    `wss://${domain}.evil.org`,
    `wss://my-${domain}`,
    `https://${domain}`,
    `wss://evil.org/${domain}`,
  ])
    assert.equal(listsService(listing(relay, clone), domain), false, relay)
  for (const url of [
    `https://${domain}/${npub}/other.git`,
    `https://${domain}/npub1qqq/tool.git`,
    `https://${domain}/tool.git`,
    `ssh://${domain}/${npub}/tool.git`,
    `https://evil.org/?x=https://${domain}/${npub}/tool.git`,
  ])
    assert.equal(listsService(listing(`wss://${domain}`, url), domain), false, url)
})

test('P-37 an identifier with spaces, colons and emoji is served under its encoded path', () => {
  const clone = `https://git.example.org/${npub}/${encodeURIComponent('a: b 🦊')}.git`
  assert.equal(listsService(listing('wss://git.example.org', clone, 'a: b 🦊'), 'git.example.org'), true)
})

test('what could not be a folder is no identifier', () => {
  for (const d of ['', '.', '..', 'a/b', 'a\\b', 'a\0b', '../../etc'])
    assert.equal(parseAnnouncement(unsigned(30_617, [['d', d]])), 'bad-identifier', JSON.stringify(d))
  assert.equal(parseAnnouncement(unsigned(30_617, [])), 'no-identifier')
  assert.equal(parseAnnouncement(unsigned(1, [['d', 'x']])), 'not-an-announcement')
  assert.equal(
    parseAnnouncement(
      unsigned(30_617, [
        ['d', 'x'],
        ['clone', 'a'],
        ['clone', 'b'],
      ]),
    ),
    'several-clone-tags',
  )
})

test('P-90 what is no public key among the maintainers is left out, and the rest counts', () => {
  const { maintainers } = announce([
    ['d', 'x'],
    ['maintainers', 'nonsense', hex(2), '', hex(3).toUpperCase(), 'npub1x'],
  ])
  assert.deepEqual(
    maintainers,
    [hex(2), hex(3).toUpperCase()].filter((key) => /^[0-9a-f]{64}$/.test(key)),
  )
})

test('P-80 who is listed by a maintainer is one, cycles end, and listing goes one way', () => {
  const of = (who: number, ...listed: number[]) =>
    announce(
      [
        ['d', 'x'],
        ['maintainers', ...listed.map(hex)],
      ],
      hex(who),
    )
  const all = [of(1, 2), of(2, 3, 1), of(3), of(4, 1)]
  assert.deepEqual([...maintainersOf(hex(1), all)], [hex(1), hex(2), hex(3)])
  assert.deepEqual([...maintainersOf(hex(3), all)], [hex(3)])
  assert.deepEqual([...maintainersOf(hex(4), all)], [hex(4), hex(1), hex(2), hex(3)])
  assert.deepEqual([...maintainersOf(hex(9), all)], [hex(9)])
  assert.deepEqual(ownersServedBy(hex(3), all), [hex(1), hex(2), hex(3), hex(4)])
  assert.deepEqual(ownersServedBy(hex(4), all), [hex(4)])
})
