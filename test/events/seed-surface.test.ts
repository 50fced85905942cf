import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { bulkTables } from './seed-surface/bulk-rows.ts'
import { cliTable } from './seed-surface/cli-rows.ts'
import { controlTables } from './seed-surface/control-rows.ts'
import { definitionTables } from './seed-surface/definition-rows.ts'
import { managementTable } from './seed-surface/management-rows.ts'
import { promises } from './seed-surface/promise-rows.ts'
import { restTables } from './seed-surface/rest-rows.ts'
import { type Row, Surface, type Table } from './seed-surface/surface.ts'
import { wireTable } from './seed-surface/wire-rows.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))

const tables: readonly Table[] = [
  ...definitionTables,
  ...controlTables,
  managementTable,
  ...bulkTables,
  wireTable,
  ...restTables,
  cliTable,
]

/** Promised and not there yet, by section and name. It only ever shrinks: whoever builds one takes it out. */
const missing: ReadonlySet<string> = new Set([
  '2.17 method listener_reload',
  '2.17 method listeventsneedingmoderation',
  '4.19 syncline copy (--json)',
])

const surface = await Surface.open()
after(() => surface[Symbol.asyncDispose]())

/** Why a row does not hold; undefined: it does. */
async function fault({ lives, check }: Row): Promise<string | undefined> {
  if (!existsSync(`${root}${lives}`)) return `there is no ${lives}`
  try {
    await check(surface)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

const broken = new Set<string>()
for (const { section, rows } of tables)
  test(`every row of §${section} of the seeds is there`, async () => {
    const faults: string[] = []
    for (const row of rows) {
      const name = `${section} ${row.name}`
      const why = await fault(row)
      if (why !== undefined) broken.add(name)
      if (why !== undefined && !missing.has(name)) faults.push(`${name}: ${why}`)
      if (why === undefined && missing.has(name))
        faults.push(`${name} is there: take it out of the missing ones`)
    }
    assert.deepEqual(faults, [])
  })

test('each of the 21 promises of the seeds is shown by rows that hold', () => {
  const known = new Set(tables.flatMap(({ section, rows }) => rows.map(({ name }) => `${section} ${name}`)))
  assert.equal(promises.length, 21)
  for (const [promise, ...shownBy] of promises) {
    assert.ok(shownBy.length > 0, promise)
    for (const row of shownBy) {
      assert.ok(known.has(row), `${promise}: no row is named ${row}`)
      assert.ok(!broken.has(row) || missing.has(row), `${promise}: ${row} does not hold`)
    }
  }
})

test('what is listed as missing is a row', () => {
  const known = new Set(tables.flatMap(({ section, rows }) => rows.map(({ name }) => `${section} ${name}`)))
  assert.deepEqual(
    [...missing].filter((name) => !known.has(name)),
    [],
  )
})
