import assert from 'node:assert/strict'
import { test } from 'node:test'
import { classify } from './upload.ts'

/** OK texts as relays in the field send them. */
const cases: [accepted: boolean, reason: string, verdict: ReturnType<typeof classify>][] = [
  [true, '', 'done'],
  [true, 'duplicate: already have this event', 'duplicate'],
  [false, 'duplicate: already have this event', 'duplicate'],
  [false, 'replaced: have newer event', 'duplicate'],
  [false, 'rate-limited: slow down there chief', 'pause'],
  [false, 'You are noting too much. Slow down', 'pause'],
  [false, 'error: could not connect to the database', 'retry'],
  [false, 'error: no answer from the relay', 'retry'],
  [false, '', 'retry'],
  [false, 'invalid: event creation date is too far off from the current time', 'refused'],
  [false, 'blocked: you are banned from posting here', 'refused'],
  [false, 'restricted: sign up first', 'refused'],
  [false, 'pow: difficulty 26 is less than 30', 'refused'],
]
for (const [accepted, reason, verdict] of cases) {
  test(`E-133 OK ${accepted} "${reason}" means ${verdict}`, () => {
    assert.equal(classify({ accepted, reason }), verdict)
  })
}
