import assert from 'node:assert/strict'
import { it } from 'node:test'
import { StoreChild } from '../../../test/acceptance/store-child.ts'
import { code, peer } from '../../../test/acceptance/store-setup.ts'
import { temporaryFolder } from '../../../test/helpers/temporary-folder.ts'
import { SyncError } from '../../kernel/sync-error.ts'
import { createSqliteStore } from './sqlite-store.ts'

it('a second process is refused and told who owns the store; its death frees it at once', async () => {
  await using folder = await temporaryFolder()
  await using child = new StoreChild('hold', folder.path)
  await child.said(1)
  await assert.rejects(createSqliteStore({ dir: folder.path }), (error) => {
    assert.ok(error instanceof SyncError && error.code === 'store/busy')
    assert.match(error.message, new RegExp(`process ${child.pid} owns it since .*Stop that process`))
    return true
  })
  await child.kill()
  await using store = await createSqliteStore({ dir: folder.path })
  await store.transaction((tx) => store.peers.put(tx, peer('p')))
})

it('a second opening in the same process is refused and does not weaken the first', async () => {
  await using folder = await temporaryFolder()
  await using first = await createSqliteStore({ dir: folder.path })
  for (let attempt = 0; attempt < 3; attempt += 1)
    await assert.rejects(createSqliteStore({ dir: folder.path }), /this process has it open already/)
  await first[Symbol.asyncDispose]()
  await using second = await createSqliteStore({ dir: folder.path })
  assert.equal(second.epoch, first.epoch)
})

it('a reader needs no lock, sees what the owner commits and cannot write', async () => {
  await using folder = await temporaryFolder()
  await assert.rejects(createSqliteStore({ dir: folder.path, readOnly: true }), /start a node there first/)
  await using owner = await createSqliteStore({ dir: folder.path })
  await using reader = await createSqliteStore({ dir: folder.path, readOnly: true })
  await owner.transaction((tx) => owner.peers.put(tx, peer('p')))
  assert.equal((await reader.read((tx) => reader.peers.list(tx))).length, 1)
  assert.equal(reader.epoch, owner.epoch)
  await assert.rejects(
    reader.transaction(() => {}),
    code('config/invalid'),
  )
  const missing = { id: 'probe-0001-create', up: () => {} }
  await assert.rejects(reader.migrate([missing]), code('config/invalid'))
  await owner.migrate([missing])
  await reader.migrate([missing])
})

it('a reader works beside an owner of another process, and after it was killed', async () => {
  await using folder = await temporaryFolder()
  await using child = new StoreChild('write', folder.path, 'r')
  await child.said(20)
  const count = async () => {
    await using reader = await createSqliteStore({ dir: folder.path, readOnly: true })
    return reader.read((tx) => Number(tx.prepare('SELECT count(*) AS count FROM probe').get()?.count))
  }
  assert.ok((await count()) >= 60)
  await child.kill()
  assert.ok((await count()) >= child.lines.length * 3)
})
