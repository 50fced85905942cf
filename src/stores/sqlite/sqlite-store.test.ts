import { storeSuite } from '../../../test/acceptance/store-suite.ts'
import { FakeClock } from '../../../test/helpers/fake-clock.ts'
import { temporaryFolder } from '../../../test/helpers/temporary-folder.ts'
import { createSqliteStore } from './sqlite-store.ts'

storeSuite('SQLite', async () => {
  const folder = await temporaryFolder()
  const clock = new FakeClock()
  let store = await createSqliteStore({ dir: folder.path, clock })
  return {
    get store() {
      return store
    },
    execute: async (tx, sql) => tx.prepare(sql).all(),
    advance: (ms) => clock.advance(ms),
    async restart() {
      await store[Symbol.asyncDispose]()
      store = await createSqliteStore({ dir: folder.path, clock })
      return store
    },
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
    },
  }
})
