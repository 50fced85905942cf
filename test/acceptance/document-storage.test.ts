import { MemoryDocumentStorage } from '../../src/planes/documents/storage/document-storage.memory.ts'
import { createSqliteDocumentStorage } from '../../src/planes/documents/storage/document-storage.sqlite.ts'
import { createSqliteStore } from '../../src/stores/sqlite/sqlite-store.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { type DocumentStorageSetup, documentStorageSuite } from './document-storage-suite.ts'

documentStorageSuite('in memory', async () => {
  return { storage: new MemoryDocumentStorage(), async [Symbol.asyncDispose]() {} }
})

async function openAt(dir: string): Promise<DocumentStorageSetup> {
  await using opening = new AsyncDisposableStack()
  const store = opening.use(await createSqliteStore({ dir }))
  const storage = await createSqliteDocumentStorage({ store })
  const stack = opening.move()
  return {
    storage,
    async reopen() {
      await stack.disposeAsync()
      return await openAt(dir)
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

documentStorageSuite('on SQLite', async () => {
  const folder = await temporaryFolder()
  const world = await openAt(folder.path)
  return {
    ...world,
    async [Symbol.asyncDispose]() {
      await world[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
    },
  }
})
