import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SyncError } from '../../kernel/sync-error.ts'
import { parseRowsDefinition } from './rows-definition.ts'

const parse = (text: string) => parseRowsDefinition('schema.json', text)

describe('a rows schema', () => {
  it('has defaults for all but the names of tables, and comments', () => {
    const definition = parse(`{
      # whose rows
      "tables": [{ "table": "notes" }],
    }`)
    assert.deepEqual(definition, {
      appName: '',
      schemaVersion: 0,
      tables: [{ schema: 'public', table: 'notes', key: 'id' }],
      watch: true,
      ignoreUnknownColumns: false,
      limits: {},
    })
  })

  const wrong: readonly [string, RegExp][] = [
    ['{}', /schema\.json:1: tables: /],
    ['{\n"tables": [],\n}', /schema\.json:2: tables: /],
    ['{\n"tables": [\n{ "schema": "a" }]}', /schema\.json:3: tables\[0\]\.table: /],
    ['{"tables": [{"table": "a"}],\n"table": 1}', /schema\.json:2: table: there is no such field/],
    ['{"tables": [{"table": "a", "keys": "b"}]}', /tables\[0\]\.keys: there is no such field/],
    [
      '{"tables": [{"table": "a"}],\n"limits": {\n"maxRequestBytes": 0}}',
      /schema\.json:3: limits\.maxRequestBytes: /,
    ],
    ['{"tables": [{"table": "a"}], "limits": {"maxBytes": 1}}', /limits\.maxBytes: there is no such field/],
    ['{"tables": [{"table": "a"}, {"schema": "Public", "table": "A"}]}', /public\.a is named twice/],
    ['{"tables": [', /schema\.json:1 is not valid JSON/],
    ['[]', /the file: /],
    ['', /the file: /],
  ]
  for (const [text, message] of wrong)
    it(`is refused by name: ${text.replaceAll('\n', ' ') || 'nothing'}`, () => {
      assert.throws(
        () => parse(text),
        (error) =>
          error instanceof SyncError && error.code === 'config/invalid' && message.test(error.message),
      )
    })
})
