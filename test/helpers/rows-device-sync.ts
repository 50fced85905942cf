import { isRowsClientError } from '../../src/planes/rows/client/client-error.ts'
import { openDevice } from './rows-tables.ts'

export interface DeviceSync {
  readonly path: string
  readonly user: string
  readonly url: string
  /** The request at which the process dies, counted from 1, before it is sent or when its answer is there; 0: it lives. */
  readonly dieAt: number
  readonly dieAfterAnswer: boolean
  /** Small pages and chunks: more moments to die at. */
  readonly page: number
}

/** Attaches if need be and syncs until nothing is pending: what an application does with each kind of answer. */
export async function syncDevice({
  path,
  user,
  url,
  dieAt,
  dieAfterAnswer,
  page,
}: DeviceSync): Promise<void> {
  let requests = 0
  const die = () => process.kill(process.pid, 'SIGKILL')
  using device = openDevice(path, {
    baseUrl: url,
    token: () => user,
    uploadLimit: page,
    downloadLimit: page,
    snapshotChunkRows: page,
    rowsBeforeAttach: 'merge',
    retry: { initialBackoffMs: 10, maxBackoffMs: 100 },
    fetch: async (input, init) => {
      const dies = ++requests === dieAt
      if (dies && !dieAfterAnswer) die()
      const response = await fetch(input, init)
      if (!dies) return response
      await response.arrayBuffer()
      die()
      return response
    },
  })
  const { client } = device
  await client.open()
  for (;;) {
    try {
      const attached = await client.attach(user)
      if (attached.status === 'retry_later') throw new Error('another device seeds')
      await client.sync()
      if (client.pendingSyncStatus().pendingRowCount === 0) return
    } catch (error) {
      if (isRowsClientError(error, 'rows/recovery-required', 'rows/rebuild-required')) await client.rebuild()
      else if (!isRowsClientError(error, 'rows/initialization-lost', 'rows/dirty-rows')) throw error
    }
  }
}
