import assert from 'node:assert/strict'
import { TestClient } from '../../peers/test-client.ts'
import type { Table } from './surface.ts'

export const wireTable: Table = {
  section: '3.8',
  rows: [
    {
      name: 'SYNC-PAGE is advertised and answered',
      lives: 'src/planes/events/relay/sync-pages.ts',
      check: async ({ world }) => {
        const url = (await world.node.status()).listening!
        const headers = { accept: 'application/nostr+json' }
        const response = await fetch(url.replace(/^ws/, 'http'), { headers })
        const { sync_page } = (await response.json()) as { sync_page: { version: number; max_limit: number } }
        assert.equal(sync_page.version, 1)
        using client = await TestClient.connect(url)
        client.send(['SYNC-PAGE', 'p1', {}, {}])
        // Nobody in particular asks: a challenge, and a refusal that says what is missing.
        const [frame] = (await client.until('SYNC-PAGE-ERR')).slice(-1)
        assert.equal(frame![1], 'p1')
        assert.match(String(frame![2]), /^auth-required: /)
      },
    },
  ],
}
