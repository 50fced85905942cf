import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { EventStreamParser } from './event-stream.ts'

const stream =
  'event: bundle\ndata: {"bundle_seq":124}\n\n: heartbeat\n\nevent:other\r\ndata:a\r\ndata: b\r\n\r\nid: 7\n\ndata\n\n'
const events = [
  { name: 'bundle', data: '{"bundle_seq":124}' },
  { name: 'other', data: 'a\nb' },
  { name: '', data: '' },
]

describe('the parser of event streams', () => {
  it('reads events, joins data lines, and skips comments and other fields, wherever the pieces are cut', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(stream.length), { maxLength: 12 }), (cuts) => {
        const parser = new EventStreamParser()
        const edges = [0, ...cuts.sort((a, b) => a - b), stream.length]
        assert.deepEqual(
          edges.slice(1).flatMap((edge, i) => parser.push(stream.slice(edges[i], edge))),
          events,
        )
      }),
    )
  })

  it('refuses a line without end', () => {
    const parser = new EventStreamParser()
    assert.throws(() => {
      for (let i = 0; i < 100; i++) parser.push('x'.repeat(1_000))
    }, RangeError)
  })
})
