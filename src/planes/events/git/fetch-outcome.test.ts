import assert from 'node:assert/strict'
import { test } from 'node:test'
import { failureOf, isNaughty, refusedId } from './fetch-outcome.ts'

const outcome = (stderr: string) => failureOf({ stderr, stopped: undefined })

test('P-76 P-77 the text of a URL, or what the server says, cannot make an error look like another', () => {
  const cases = [
    ["fatal: unable to access 'https://x/openssl-certificate.git/': Connection timed out", 'timeout'],
    ["fatal: unable to access 'https://x/certificate.git/': Connection refused", 'failed'],
    ["remote: SSL certificate problem\nfatal: unable to access 'https://x/': Connection refused", 'failed'],
    ["fatal: unable to access 'https://x/': Could not resolve host: x", 'dns'],
    ["fatal: unable to access 'https://x/': SSL certificate problem: certificate has expired", 'tls'],
    ['error: RPC failed; curl 28 Operation too slow. Less than 1000 bytes/sec', 'timeout'],
    ['', 'failed'],
  ] as const
  for (const [stderr, expected] of cases) assert.equal(outcome(stderr), expected, stderr)
  assert.equal(failureOf({ stderr: 'ssl certificate', stopped: 'timeout' }), 'timeout')
  assert.deepEqual((['dns', 'tls', 'address', 'timeout', 'failed', 'too-big'] as const).filter(isNaughty), [
    'dns',
    'tls',
    'address',
  ])
})

test('P-97 the id that a server refuses is read from what git says, in each of its wordings', () => {
  const id = 'a'.repeat(40)
  for (const text of [
    `fatal: remote error: upload-pack: not our ref ${id}`,
    `error: Server does not allow request for unadvertised object ${id}`,
    `fatal: couldn't find remote ref ${id}`,
  ])
    assert.equal(refusedId(text), id)
  assert.equal(refusedId(`fatal: not our ref ${'a'.repeat(39)}`), undefined)
})
