import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { entryIdOf } from '../entry/entry-id.ts'
import { KeyPair } from '../entry/key-pair.ts'
import { formatTicket, parseTicket } from './ticket.ts'

const database = entryIdOf(Uint8Array.of(1))
const peer = KeyPair.fromSeed(new Uint8Array(32).fill(7)).publicKey
const refused = { name: 'DocumentError', code: 'document/bad-ticket' }

describe('tickets', () => {
  it('D-117 come back as they went, whatever is in an address', () => {
    const fields = {
      type: fc.constantFrom('http', 'iroh', 'memory'),
      address: fc.string({ minLength: 1, maxLength: 60, unit: 'grapheme' }),
    }
    const address = fc.record(fields, { noNullPrototype: true })
    fc.assert(
      fc.property(fc.array(address, { maxLength: 20 }), fc.boolean(), (addresses, named) => {
        const ticket = named ? { database, addresses, peer } : { database, addresses }
        assert.deepEqual(parseTicket(formatTicket(ticket)), ticket)
      }),
    )
  })

  it('D-117 are read also when everything in them is encoded, and pass over what they do not know', () => {
    const text = `syncline-doc:?x=1&pr=http%3A192.0.2.1%3A80&db=${database}&pr=nothing&pr=:&pr=HTTP:a&y`
    assert.deepEqual(parseTicket(text), { database, addresses: [{ type: 'http', address: '192.0.2.1:80' }] })
  })

  it('D-117 of another scheme, without a database, or tampered with are refused', () => {
    const good = formatTicket({ database, addresses: [], peer })
    const bad = [
      '',
      'http://example.com',
      'syncline-doc:?pr=http:a:1',
      `syncline-doc:?db=${database.slice(0, -1)}`,
      `syncline-doc:?db=${database.toUpperCase()}`,
      good.replace('peer=', 'peer=x'),
      `${good}&pr=http:${'a'.repeat(20_000)}`,
    ]
    for (const text of bad) assert.throws(() => parseTicket(text), refused, text.slice(0, 80))
  })
})
