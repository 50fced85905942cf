import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Triggers } from './triggers.ts'

const { signal } = new AbortController()

test('what was asked before anybody waited is there at once, each word one time', async () => {
  const triggers = new Triggers()
  for (const word of ['full', 'upload', 'full']) triggers.add(word)
  await triggers.wait(signal)
  assert.deepEqual(triggers.take(), ['full', 'upload'])
  assert.deepEqual(triggers.take(), [])
})

test('a word wakes who waits, and an abort ends the waiting with its reason', async () => {
  const triggers = new Triggers()
  const waiting = triggers.wait(signal)
  triggers.add('full')
  await waiting
  assert.deepEqual(triggers.take(), ['full'])
  const abort = new AbortController()
  const ended = triggers.wait(abort.signal)
  abort.abort(new Error('stopped'))
  await assert.rejects(ended, /stopped/)
  triggers.add('later')
  assert.deepEqual(triggers.take(), ['later'])
})
