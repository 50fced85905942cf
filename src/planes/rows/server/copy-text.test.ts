import assert from 'node:assert/strict'
import { it } from 'node:test'
import { copyLine } from './copy-text.ts'

it('values are written so that COPY reads them back', () => {
  assert.equal(copyLine([1, null, 'plain', { hex: '00ff' }]), '1\t\\N\tplain\t\\\\x00ff\n')
  assert.equal(copyLine(['a\\b\nc\rd\te', '\\N', '']), 'a\\\\b\\nc\\rd\\te\t\\\\N\t\n')
})
