import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatTicket, KeyPair, parseId, parseTicket } from '../../src/planes/documents/index.ts'
import { adminWorld } from '../helpers/admin-world.ts'
import { DocumentsPeer } from '../helpers/documents-peer.ts'
import { documentsStage } from '../helpers/documents-stage.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

/** A well formed id that is here nobody's. */
const nobody = parseId('bafyr4iczw3yyafqeswybkiwk6opsfz4qokli7nxx35ig3htinvjdhi7unu')
const key = KeyPair.generate().publicKey
const number = '00000000-0000-4000-8000-000000000000'

interface Refused {
  readonly code: string
  readonly exit: number
  readonly says: RegExp
}

const usage = (says: RegExp): Refused => ({ code: 'usage', exit: 2, says })
const failed = (code: string, says: RegExp, exit = 1): Refused => ({ code: `document/${code}`, exit, says })

describe('wrong input about documents is refused by name', () => {
  it('on the command line', async () => {
    await using folder = await temporaryFolder()
    await using one = new DocumentsPeer(folder.join('one'), ['--documents'])
    await using two = new DocumentsPeer(folder.join('two'))
    await Promise.all([one.start(), two.start()])
    for (const name of ['notes', 'twin', 'twin']) await one.doc('create', name)
    await one.doc('set', 'notes', 'main', 'a', '"text"')
    const { ticket } = await one.doc<{ readonly ticket: string }>('ticket', 'notes')
    const parsed = parseTicket(ticket)
    const { request } = await two.doc('join', ticket, '--permission', 'write')
    await one.doc('reject', String(request))
    await two.doc('create', 'own')
    const gone = formatTicket({ ...parsed, database: nobody })
    const other = formatTicket({ ...parsed, peer: key })
    const unknown = failed('unknown-database', /there is no database/)

    const ofOne: readonly (readonly [readonly string[], Refused])[] = [
      [['create', ' '], failed('bad-value', /1 to 200 characters/)],
      [['create'], usage(/missing required argument 'name'/)],
      [['show', 'nothing'], failed('unknown-database', /no database called "nothing"/)],
      [['show', nobody], failed('unknown-database', new RegExp(nobody))],
      [
        ['show', 'twin'],
        failed('unknown-database', /2 databases are called "twin"; say which: bafyr4i\w+, bafyr4i/),
      ],
      [['get', 'nothing', 'main'], unknown],
      [['get', 'notes', 'other'], failed('not-found', /no store "other"; it has main/)],
      [['get', 'notes', 'main', 'b'], failed('not-found', /nothing at b in the store main/)],
      [['get', 'notes', '_settings'], failed('not-found', /no store "_settings"/)],
      [['set', 'nothing', 'main', 'a', '1'], unknown],
      [['set', 'notes', 'main', 'a', 'text'], usage(/it is not JSON; a text is written '"like this"'/)],
      [['set', 'notes', 'main', 'a', '1.5'], failed('bad-value', /1\.5 is no whole number/)],
      [['set', 'notes', 'main', '..', '1'], failed('bad-path', /at least one component/)],
      [['set', 'notes', '_settings', 'name', '"x"'], failed('store-reserved', /is no name for a store/)],
      [['delete', 'notes', 'main', 'b'], failed('not-found', /nothing at b/)],
      [['delete', 'notes', 'other', 'b'], failed('not-found', /no store "other"/)],
      [['ticket', 'nothing'], unknown],
      [['share', 'nothing'], unknown],
      [['share', 'notes', '--every', '0'], usage(/whole number of seconds from 1 to 86400/)],
      [['unshare', 'nothing'], unknown],
      [['join', 'eidetica:?db=x'], failed('bad-ticket', /does not begin with syncline-doc/)],
      [['join', 'syncline-doc:?db=x'], failed('bad-ticket', /names no database/)],
      [['join', ticket], failed('bad-ticket', /of this node itself/)],
      [['sync', 'nothing'], unknown],
      [['sync', 'twin'], failed('unknown-database', /say which/)],
      [['sync', 'notes'], failed('unknown-peer', /the database notes is not kept in step with any peer yet/)],
      [['sync', '--peer', 'x'], failed('bad-key', /./)],
      [['requests', '--status', 'open'], usage(/Allowed choices are pending/)],
      [['approve', number], failed('access-request', /there is no request for access/)],
      [['approve', String(request)], failed('access-request', /is rejected already/)],
      [
        ['approve', String(request), '--permission', 'own'],
        failed('bad-value', /"own" is none of read, write:N/),
      ],
      [['reject', String(request)], failed('access-request', /is rejected already/)],
      [['grant', 'notes', 'x', 'read'], failed('bad-key', /./)],
      [['grant', 'notes', key, 'own'], failed('bad-value', /"own" is none of/)],
      [['revoke', 'notes', key], failed('not-found', /knows no key/)],
      [['revoke', 'notes', 'everybody'], failed('not-found', /everybody was granted nothing/)],
      [['block', 'x'], failed('bad-key', /./)],
      [['block', key], failed('unknown-peer', /is not known/)],
      [['history', 'nothing'], unknown],
      [['history', '--limit', '0'], usage(/from 1 to 1000/)],
      [['nonsense'], usage(/unknown command 'nonsense'/)],
    ]
    const ofTwo: typeof ofOne = [
      [['ticket', 'own'], failed('transport', /"syncline up --documents"/)],
      [['join', ticket], failed('peer-denied', /--permission read, write or admin/)],
      [['join', ticket, '--permission', 'own'], failed('bad-value', /"own" is none of/)],
      [['join', ticket, '--name', 'x'], usage(/go with --permission/)],
      [['join', ticket, '--permission', 'read', '--name', ' '], failed('bad-value', /a name has 1 to 128/)],
      [
        ['join', ticket, '--permission', 'read', '--message', 'x'.repeat(5_000)],
        failed('bad-value', /4096 bytes/),
      ],
      [['join', formatTicket({ ...parsed, addresses: [] })], failed('bad-ticket', /has no addresses/)],
      [['join', gone], failed('peer-not-found', /not-found/)],
      [['join', gone, '--permission', 'read'], failed('peer-not-found', /not-found/)],
      [['join', other], failed('peer-protocol', /the ticket is of/)],
      [
        ['join', formatTicket({ ...parsed, addresses: [{ type: 'http', address: '127.0.0.1:1' }] })],
        failed('unreachable', /127\.0\.0\.1:1\/api\/v0 cannot be reached/, 4),
      ],
      [
        ['join', formatTicket({ ...parsed, addresses: [{ type: 'iroh', address: 'endpointx' }] })],
        failed('no-transport', /no transport reaches iroh:endpointx/),
      ],
      [['get', parsed.database, 'main'], failed('access-pending', /waits for a decision/)],
      [['set', parsed.database, 'main', 'a', '1'], failed('access-pending', /waits for a decision/)],
      [
        ['revoke', 'own', (await two.doc<{ keys: { key: string }[] }>('show', 'own')).keys[0]!.key],
        failed('permission-denied', /shut itself out/),
      ],
    ]
    for (const [peer, cases] of [[one, ofOne] as const, [two, ofTwo] as const])
      for (const [args, expected] of cases) {
        const what = `doc ${args.join(' ').slice(0, 80)}`
        const { code, stdout, stderr } = await peer.call(...args)
        assert.equal(code, expected.exit, `${what}: ${stderr}`)
        assert.equal(stdout, '', what)
        // What parsing a command line finds is told by the parser, in words.
        const { error } = stderr.startsWith('{')
          ? JSON.parse(stderr)
          : { error: { code: 'usage', message: stderr } }
        assert.match(error.message, expected.says, what)
        assert.equal(error.code, expected.code, what)
      }

    // A reader may not write, and nobody but an admin says who may.
    await one.doc(
      'grant',
      'notes',
      String((await two.doc<{ keys: { key: string }[] }>('show', 'own')).keys[0]!.key),
      'read',
    )
    await two.doc('join', ticket)
    assert.equal(await two.refusal('set', 'notes', 'main', 'a', '2'), 'document/permission-denied')
    assert.equal(await two.refusal('grant', 'notes', key, 'read'), 'document/permission-denied')
    assert.deepEqual((await one.state('notes', 'main')).value, { a: 'text' })
  })

  it('over the admin API', async () => {
    await using world = await adminWorld({ documents: true })
    await using stage = await documentsStage(world.node)
    const [pending] = await world.node.documents.requests('pending')
    await world.node.documents.reject(pending!.id)
    const { ticket } = await stage.other.documents.ticket('theirs')
    const away = formatTicket({
      ...parseTicket(ticket),
      addresses: [{ type: 'http', address: '127.0.0.1:1' }],
    })
    const shared = '/documents/databases/shared'
    const wrong: readonly (readonly [string, string, unknown, number, string])[] = [
      ['get', '/documents/databases/nothing', undefined, 404, 'document/unknown-database'],
      ['get', '/documents/databases/nothing/attempts', undefined, 404, 'document/unknown-database'],
      ['get', `${shared}/attempts?limit=0`, undefined, 422, 'invalid'],
      ['get', `${shared}/attempts?peer=x`, undefined, 422, 'document/bad-key'],
      ['get', '/documents/requests?status=open', undefined, 422, 'invalid'],
      ['post', '/documents/databases', {}, 422, 'invalid'],
      ['post', '/documents/databases', { name: '' }, 422, 'invalid'],
      ['post', '/documents/databases', { name: ' ' }, 422, 'document/bad-value'],
      ['post', '/documents/databases', { name: 'x', key: 1 }, 422, 'invalid'],
      ['post', '/documents/join', { ticket: 'x' }, 422, 'document/bad-ticket'],
      ['post', '/documents/join', { ticket, permission: 'own' }, 422, 'document/bad-value'],
      ['post', '/documents/join', { ticket: away }, 503, 'document/unreachable'],
      ['post', `${shared}/share`, { every_seconds: 0 }, 422, 'invalid'],
      ['post', '/documents/databases/nothing/share', {}, 404, 'document/unknown-database'],
      ['post', '/documents/databases/nothing/unshare', undefined, 404, 'document/unknown-database'],
      ['post', '/documents/databases/nothing/ticket', undefined, 404, 'document/unknown-database'],
      ['post', '/documents/databases/nothing/sync', {}, 404, 'document/unknown-database'],
      ['post', `${shared}/sync`, { peer: key }, 404, 'document/unknown-peer'],
      ['post', `/documents/requests/${number}/approve`, {}, 404, 'not-found'],
      ['post', `/documents/requests/${number}/reject`, undefined, 404, 'not-found'],
      ['post', `/documents/requests/${pending!.id}/approve`, {}, 409, 'document/access-request'],
      ['post', `/documents/requests/${pending!.id}/reject`, undefined, 409, 'document/access-request'],
      ['post', `${shared}/grant`, { key: 'x', permission: 'read' }, 422, 'document/bad-key'],
      ['post', `${shared}/grant`, { key, permission: 'own' }, 422, 'document/bad-value'],
      ['post', `${shared}/revoke`, { key }, 404, 'document/not-found'],
      ['delete', '/documents/peers/x', undefined, 422, 'document/bad-key'],
      ['delete', `/documents/peers/${encodeURIComponent(key)}`, undefined, 404, 'document/unknown-peer'],
    ]
    for (const [method, path, body, status, code] of wrong) {
      const headers = { accept: 'application/problem+json' }
      const answer = await world.call(method, path, { headers, ...(body !== undefined && { body }) })
      assert.deepEqual([answer.status, answer.body.code], [status, code], `${method} ${path}`)
      assert.equal(answer.headers.get('content-type'), 'application/problem+json')
      assert.ok(answer.body.detail.length > 10, `${method} ${path}: ${answer.body.detail}`)
    }
  })
})
