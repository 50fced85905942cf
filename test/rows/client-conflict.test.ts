import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Conflict, clientWins, type Resolution } from '../../src/planes/rows/client/conflict-resolver.ts'
import { postgresServer } from '../helpers/postgres-server.ts'
import { rowsOf } from '../helpers/rows-tables.ts'
import {
  addPost,
  addUser,
  bundleCount,
  deviceRows,
  type RowsWorld,
  ready,
  rowsWorld,
  serverRows,
  userNames,
} from '../helpers/rows-world.ts'

const postgres = postgresServer()

type Op = 'INSERT' | 'UPDATE' | 'DELETE'
type Shape = 'live' | 'tomb' | 'none'
type Choice = 'accept-server' | 'keep-local' | 'keep-merged'

const shapes: Readonly<Record<Op, readonly Shape[]>> = {
  INSERT: ['live', 'tomb', 'none'],
  UPDATE: ['live', 'tomb', 'none'],
  DELETE: ['live', 'tomb', 'none'],
}

/** §8.9: what remains on the device, and on the server once it is pushed; `invalid` keeps everything as it was. */
const table: Readonly<Record<Choice, Readonly<Record<Op, Readonly<Record<Shape, string>>>>>> = {
  'accept-server': {
    INSERT: { live: 'server', tomb: 'gone', none: 'gone' },
    UPDATE: { live: 'server', tomb: 'gone', none: 'gone' },
    DELETE: { live: 'server', tomb: 'gone', none: 'gone' },
  },
  'keep-local': {
    INSERT: { live: 'local', tomb: 'local', none: 'invalid' },
    UPDATE: { live: 'local', tomb: 'invalid', none: 'invalid' },
    DELETE: { live: 'gone', tomb: 'gone', none: 'gone' },
  },
  'keep-merged': {
    INSERT: { live: 'merged', tomb: 'merged', none: 'invalid' },
    UPDATE: { live: 'merged', tomb: 'invalid', none: 'invalid' },
    DELETE: { live: 'invalid', tomb: 'invalid', none: 'invalid' },
  },
}

const names: Readonly<Record<string, readonly string[]>> = {
  server: ['server', 'sibling'],
  local: ['local', 'sibling'],
  merged: ['merged', 'sibling'],
  gone: ['sibling'],
}

/** Brings about a conflict of this kind on device `b`, with a second edit beside it. */
async function conflict(world: RowsWorld, op: Op, shape: Shape, choice: Choice) {
  const questions: Conflict[] = []
  const resolver = (question: Conflict): Resolution => {
    questions.push(question)
    if (choice !== 'keep-merged') return { kind: choice }
    const row = question.localPayload ?? question.serverRowPayload ?? { id: question.key }
    return { kind: choice, payload: { ...row, name: 'merged' } }
  }
  const id = crypto.randomUUID()
  const a = await ready(world.device('a'))
  const b = await ready(world.device('b', { resolver }))
  if (op !== 'INSERT') addUser(a, 'base', id)
  await a.client.sync()
  await b.client.sync()
  if (op === 'INSERT' && shape !== 'none') addUser(a, 'server', id)
  if (op !== 'INSERT' && shape === 'live') a.db.exec(`UPDATE users SET name = 'server'`)
  await a.client.sync()
  if (shape === 'tomb') a.db.exec('DELETE FROM users')
  await a.client.sync()
  if (shape === 'none' && op !== 'INSERT')
    // Nothing of a row is forgotten by itself: as if the server had been replaced by one that never had it.
    await world.database.pool.query(`begin; set local session_replication_role = replica;
      delete from sync.row_state; delete from business.users; commit`)
  if (op === 'INSERT') addUser(b, 'local', id)
  if (op === 'UPDATE') b.db.exec(`UPDATE users SET name = 'local'`)
  if (op === 'DELETE') b.db.exec('DELETE FROM users')
  addUser(b, 'sibling')
  if (shape === 'none' && op === 'INSERT')
    // An insertion conflicts with nothing only if it claims a base.
    b.db.exec(`UPDATE _sync_dirty_rows SET base_row_version = 5 WHERE key_json LIKE '%${id}%'`)
  return { a, b, id, questions }
}

describe('R-65 the table of conflicts', () => {
  for (const [choice, ops] of Object.entries(table) as [Choice, (typeof table)[Choice]][])
    for (const op of Object.keys(shapes) as Op[])
      for (const shape of shapes[op]) {
        const expected = ops[op][shape]
        it(`${choice}, ${op} against ${shape}: ${expected}`, async () => {
          await using world = await rowsWorld(postgres)
          const { a, b, id, questions } = await conflict(world, op, shape, choice)
          const pending = b.client.pendingSyncStatus().pendingRowCount
          if (expected === 'invalid') {
            const before = deviceRows(b.db)
            await assert.rejects(b.client.pushPending(), { code: 'rows/invalid-resolution' })
            assert.deepEqual(deviceRows(b.db), before)
            assert.equal(b.client.pendingSyncStatus().pendingRowCount, pending)
            assert.deepEqual(rowsOf(b.db, 'SELECT state FROM _sync_outbox_bundle'), [{ state: 'none' }])
          } else {
            assert.equal((await b.client.pushPending()).outcome, 'committed')
            assert.equal(b.client.pendingSyncStatus().pendingRowCount, 0)
            assert.deepEqual(userNames(b), names[expected])
            if (shape !== 'none') {
              await b.client.sync()
              await a.client.sync()
              assert.deepEqual(userNames(a), names[expected])
              assert.deepEqual(deviceRows(b.db), await serverRows(world.database))
            }
          }
          const [question] = questions
          assert.equal(question!.localOp, op)
          assert.equal(question!.key, id)
          assert.equal(question!.serverRowDeleted, shape === 'tomb')
          assert.equal(question!.serverRowPayload?.name, shape === 'live' ? 'server' : undefined)
          assert.equal(question!.localPayload?.name, op === 'DELETE' ? undefined : 'local')
        })
      }

  for (const [what, resolver] of [
    ['nothing', () => undefined],
    ['an unknown kind', () => ({ kind: 'both' })],
    ['a row that is not whole', () => ({ kind: 'keep-merged', payload: { id: 'x' } })],
    [
      'an error',
      () => {
        throw new Error('cannot decide')
      },
    ],
  ] as const)
    it(`a resolver that answers with ${what} loses nothing`, async () => {
      await using world = await rowsWorld(postgres)
      const a = await ready(world.device('a'))
      const b = await ready(world.device('b', { resolver: resolver as never }))
      addUser(a, 'base')
      await a.client.sync()
      await b.client.sync()
      a.db.exec(`UPDATE users SET name = 'of a'`)
      await a.client.sync()
      b.db.exec(`UPDATE users SET name = 'of b'`)
      addUser(b, 'sibling')
      await assert.rejects(b.client.sync(), { code: 'rows/invalid-resolution' })
      assert.equal(b.client.pendingSyncStatus().pendingRowCount, 2)
      assert.deepEqual(userNames(b), ['of b', 'sibling'])
    })
})

describe('R-65 conflicts, further', () => {
  it('the budget is two retries of one row; then the edits are kept and it is said', async () => {
    await using world = await rowsWorld(postgres)
    const a = await ready(world.device('a'))
    const b = await ready(world.device('b', { resolver: clientWins }))
    addUser(a, 'base')
    await a.client.sync()
    await b.client.sync()
    b.db.exec(`UPDATE users SET name = 'of b'`)
    let edits = 0
    b.line.before = async (request) => {
      if (!request.endsWith('/commit')) return
      a.db.exec(`UPDATE users SET name = 'of a ${++edits}'`)
      await a.client.sync()
    }
    await assert.rejects(b.client.pushPending(), (error: { code: string; details: object }) => {
      assert.equal(error.code, 'rows/conflicts-exhausted')
      assert.deepEqual(error.details, { retryCount: 2, remaining: 1 })
      return true
    })
    assert.equal(edits, 3)
    b.line.before = undefined
    await b.client.sync()
    await a.client.sync()
    assert.deepEqual(userNames(a), ['of b'])
  })

  it('many conflicting rows do not use up each other’s retries (§12 no. 28)', async () => {
    await using world = await rowsWorld(postgres)
    const a = await ready(world.device('a'))
    const b = await ready(world.device('b', { resolver: clientWins }))
    for (let i = 0; i < 6; i++) addUser(a, `u${i}`)
    await a.client.sync()
    await b.client.sync()
    a.db.exec(`UPDATE users SET email = 'a@x'`)
    await a.client.sync()
    b.db.exec(`UPDATE users SET email = 'b@x'`)
    await b.client.sync()
    await a.client.sync()
    assert.deepEqual(rowsOf(a.db, 'SELECT DISTINCT email FROM users'), [{ email: 'b@x' }])
    assert.deepEqual(deviceRows(a.db), deviceRows(b.db))
  })

  it('other rows of the peer’s bundle still arrive after a resolution that ran ahead of the checkpoint', async () => {
    await using world = await rowsWorld(postgres)
    const a = await ready(world.device('a'))
    const b = await ready(world.device('b'))
    addUser(a, 'base')
    await a.client.sync()
    await b.client.sync()
    a.db.exec(`UPDATE users SET name = 'of a'`)
    addUser(a, 'beside')
    await a.client.sync()
    b.db.exec(`UPDATE users SET name = 'of b'`)
    await b.client.pushPending()
    assert.deepEqual(userNames(b), ['of a'])
    await b.client.pullToStable()
    assert.deepEqual(userNames(b), ['beside', 'of a'])
    assert.deepEqual(deviceRows(b.db), await serverRows(world.database))
  })

  it('a server row that refers to one not pulled yet is accepted, and arrives with it', async () => {
    await using world = await rowsWorld(postgres)
    const a = await ready(world.device('a'))
    const b = await ready(world.device('b'))
    const post = addPost(a, addUser(a, 'first author'))
    await a.client.sync()
    await b.client.sync()
    const second = addUser(a, 'second author')
    a.db.exec(`UPDATE posts SET author_id = '${second}'`)
    await a.client.sync()
    b.db.exec(`UPDATE posts SET title = 'of b'`)
    await b.client.sync()
    assert.deepEqual(rowsOf(b.db, 'SELECT id, title, author_id FROM posts'), [
      { id: post, title: 'a post', author_id: second },
    ])
    assert.deepEqual(deviceRows(b.db), await serverRows(world.database))
  })

  it('keep-local and keep-merged keep bytes as they are (§12 no. 9)', async () => {
    await using world = await rowsWorld(postgres)
    const a = await ready(world.device('a'))
    const seen: unknown[] = []
    const b = await ready(
      world.device('b', {
        resolver: ({ localPayload, key }) => {
          seen.push(localPayload?.data)
          return key.startsWith('1')
            ? { kind: 'keep-local' }
            : { kind: 'keep-merged', payload: { ...localPayload!, name: 'merged' } }
        },
      }),
    )
    // Hex digits that are base64 as well.
    for (const [id, data] of [
      ['11', 'deadbeef'],
      ['22', 'cafe'],
    ])
      a.db.exec(`INSERT INTO files VALUES (x'${id!.repeat(16)}', 'base', x'${data}')`)
    await a.client.sync()
    await b.client.sync()
    a.db.exec(`UPDATE files SET name = 'of a'`)
    await a.client.sync()
    b.db.exec(`UPDATE files SET name = 'of b', data = CAST(data || x'00' AS BLOB)`)
    await b.client.sync()
    await a.client.sync()
    assert.deepEqual(seen.sort(), ['3q2+7wA=', 'yv4A'])
    assert.deepEqual(rowsOf(a.db, 'SELECT name, hex(data) AS data FROM files ORDER BY id'), [
      { name: 'of b', data: 'DEADBEEF00' },
      { name: 'merged', data: 'CAFE00' },
    ])
    assert.deepEqual(deviceRows(b.db), await serverRows(world.database))
  })

  it('an edit made while the resolver thinks is asked about instead', async () => {
    await using world = await rowsWorld(postgres)
    const a = await ready(world.device('a'))
    const seen: unknown[] = []
    const b: Awaited<ReturnType<typeof ready>> = await ready(
      world.device('b', {
        resolver: async ({ localPayload }) => {
          if (seen.push(localPayload?.name) === 1) b.db.exec(`UPDATE users SET name = 'of b, later'`)
          return { kind: 'keep-local' }
        },
      }),
    )
    addUser(a, 'base')
    await a.client.sync()
    await b.client.sync()
    a.db.exec(`UPDATE users SET name = 'of a'`)
    await a.client.sync()
    b.db.exec(`UPDATE users SET name = 'of b'`)
    await b.client.sync()
    assert.deepEqual(seen, ['of b', 'of b, later'])
    assert.equal(await bundleCount(world.database), 3)
    await a.client.sync()
    assert.deepEqual(userNames(a), ['of b, later'])
  })
})
