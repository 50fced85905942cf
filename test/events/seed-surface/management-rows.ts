import assert from 'node:assert/strict'
import type { Row, Table } from './surface.ts'

const parrhesia = [
  'sync_put_server',
  'sync_remove_server',
  'sync_get_server',
  'sync_list_servers',
  'sync_start_server',
  'sync_stop_server',
  'sync_sync_now',
  'sync_server_stats',
  'sync_stats',
  'sync_health',
  'acl_grant',
  'acl_revoke',
  'acl_list',
  'identity_get',
  'identity_ensure',
  'identity_import',
  'identity_rotate',
  'listener_reload',
  'stats',
  'health',
  'list_audit_logs',
  'supportedmethods',
]

/** NIP-86, which Parrhesia's management takes as well. */
const moderation = [
  'banpubkey',
  'unbanpubkey',
  'listbannedpubkeys',
  'allowpubkey',
  'unallowpubkey',
  'listallowedpubkeys',
  'banevent',
  'allowevent',
  'listbannedevents',
  'listeventsneedingmoderation',
  'changerelayname',
  'changerelaydescription',
  'changerelayicon',
  'allowkind',
  'disallowkind',
  'listallowedkinds',
  'blockip',
  'unblockip',
  'listblockedips',
]

const method = (name: string): Row => ({
  name: `method ${name}`,
  lives: 'src/api/management-methods.ts',
  check: async (surface) => {
    const { status, body } = await surface.manage('supportedmethods')
    assert.equal(status, 200)
    assert.equal(body.ok, true)
    assert.ok((body.result as string[]).includes(name))
  },
})

export const managementTable: Table = {
  section: '2.17',
  rows: [
    ...[...parrhesia, ...moderation].map(method),
    {
      name: 'an unknown id is not-found, 404',
      lives: 'src/api/management-methods.ts',
      check: async (surface) => {
        const { status, body } = await surface.manage('sync_get_server', { id: 'nobody' })
        assert.deepEqual([status, body.ok, body.error], [404, false, 'not-found'])
      },
    },
    {
      name: 'nobody without a signature is let in',
      lives: 'src/api/resource/management.ts',
      check: async ({ world }) => {
        const response = await fetch(`${world.url}/management`, {
          method: 'POST',
          body: JSON.stringify({ method: 'stats', params: {} }),
          headers: { 'content-type': 'application/json' },
        })
        assert.equal(response.status, 401)
        assert.match(await response.text(), /auth-required/)
      },
    },
  ],
}
