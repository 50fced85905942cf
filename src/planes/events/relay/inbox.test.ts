import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Inbox } from './inbox.ts'

const message = (text: string) => ({ data: Buffer.from(text), isBinary: false })

describe('inbox', () => {
  it('keeps the order over any number of messages', () => {
    const inbox = new Inbox(1_000_000)
    const taken: string[] = []
    for (let at = 0; at < 2_000; at++) {
      inbox.push(message(String(at)))
      if (at % 3 > 0) taken.push(inbox.shift()!.data.toString())
    }
    for (let next = inbox.shift(); next !== undefined; next = inbox.shift()) taken.push(next.data.toString())
    assert.deepEqual(taken, [...Array(2_000).keys()].map(String))
    assert.equal(inbox.isEmpty, true)
  })

  it('is full by bytes, and counts what empty messages cost', () => {
    const inbox = new Inbox(1_000)
    for (let at = 0; at < 7; at++) inbox.push(message(''))
    assert.equal(inbox.isFull, false)
    inbox.push(message(''))
    assert.equal(inbox.isFull, true)
    inbox.shift()
    assert.equal(inbox.isFull, false)
  })
})
