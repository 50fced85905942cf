import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseConfigFile } from '../../src/config/file.ts'

/** Found by the property in src/config/load.test.ts, seed -1548841006: an alias is only resolved when it is followed. */
const aliasesWithoutAnchor = [': *0', 'name: *a', '*a : 1', '? *a', 'log: *a']

for (const text of aliasesWithoutAnchor) {
  test(`a YAML alias without its anchor is a configuration error: ${text}`, () => {
    assert.throws(() => parseConfigFile('x.yaml', text), { code: 'config/invalid', message: /x\.yaml:1/ })
  })
}
