import assert from 'node:assert/strict'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import { describe, it } from 'node:test'
import { runCommand } from '../helpers/command.ts'
import { startNode } from '../helpers/running-node.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const setup = `
create schema if not exists app;
create table if not exists app.lists (
  _sync_scope_id text not null, id uuid not null, name text not null, primary key (_sync_scope_id, id));
create table if not exists app.tasks (
  _sync_scope_id text not null, id uuid not null, title text not null, list_id uuid,
  primary key (_sync_scope_id, id),
  foreign key (_sync_scope_id, list_id) references app.lists (_sync_scope_id, id) deferrable initially deferred);
create table if not exists app.audit (id bigint primary key, what text);
`

const schema = `{
  # two tables that belong together
  "appName": "rows of a node",
  "setup": "setup.sql",
  "tables": [{ "schema": "app", "table": "lists" }, { "schema": "app", "table": "tasks" }],
}`

const device = `
CREATE TABLE lists (id TEXT PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE tasks (id TEXT PRIMARY KEY, title TEXT NOT NULL,
  list_id TEXT REFERENCES lists (id) DEFERRABLE INITIALLY DEFERRED);
`

/** The commands of one device, by the CLI as a process of its own. */
function deviceAt(path: string, url: string, token: string) {
  const exec = (sql: string) => {
    using db = new DatabaseSync(path)
    db.exec(sql)
  }
  return {
    exec,
    add(id: number, title: string) {
      exec(`INSERT INTO tasks (id, title) VALUES ('00000000-0000-4000-8000-00000000000${id}', '${title}')`)
    },
    titles(): unknown[] {
      using db = new DatabaseSync(path)
      return db
        .prepare('SELECT title FROM tasks ORDER BY id')
        .all()
        .map(({ title }) => title)
    },
    async sync(more: readonly string[] = []) {
      const args = ['rows', 'client', 'sync', '--db', path, '--url', url, '--token', token, '--json', ...more]
      return runCommand(args)
    },
  }
}

const first = ['--user', 'ada', '--schema', 'app', '--tables', 'lists,tasks:id']

async function inStep(
  command: Promise<{ readonly code: number | null; readonly stderr: string }>,
): Promise<void> {
  const { code, stderr } = await command
  assert.equal(code, 0, stderr)
}

async function json(args: readonly string[]): Promise<unknown> {
  const { code, stdout, stderr } = await runCommand([...args, '--json'])
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout)
}

async function schemaFolder() {
  const folder = await temporaryFolder()
  // As root the database server runs as another user, who must get through.
  await chmod(folder.path, 0o711)
  await writeFile(folder.join('setup.sql'), setup)
  await writeFile(folder.join('schema.json'), schema)
  return folder
}

describe('a node that serves rows', () => {
  it('keeps two devices in step, also when it was killed, and answers the commands', async () => {
    await using folder = await schemaFolder()
    const data = folder.join('data')
    const flags = ['--rows', folder.join('schema.json'), '--rows-auth', 'key']
    const { token } = (await json(['rows', 'key', 'ada', '--data', data])) as { readonly token: string }
    let node = await startNode(data, flags)
    try {
      let http = node.url.replace('ws', 'http')
      const one = folder.join('one.db')
      const two = folder.join('two.db')
      for (const path of [one, two]) deviceAt(path, http, token).exec(device)
      deviceAt(one, http, token).add(1, 'written offline')
      await inStep(deviceAt(one, http, token).sync(first))
      await inStep(deviceAt(two, http, token).sync(first))
      assert.deepEqual(deviceAt(two, http, token).titles(), ['written offline'])

      const refused = await deviceAt(two, http, 'rlk_wrong').sync()
      assert.equal(refused.code, 1)
      assert.match(refused.stderr, /authentication_failed/)
      assert.equal((await fetch(`${http}/sync/capabilities`)).status, 401)
      assert.equal((await fetch(`${http}/syncx/status`)).status, 404)
      const relay = await fetch(http, { headers: { accept: 'application/nostr+json' } })
      assert.equal(((await relay.json()) as { readonly name: string }).name, 'Syncline')

      const metrics = await (await fetch(`${node.admin}/metrics`)).text()
      assert.match(
        metrics,
        /syncline_rows_stage_duration_seconds_count\{operation="push_commit",stage="total"\} 1/,
      )
      assert.match(metrics, /^syncline_rows_healthy 1$/m)
      assert.match(metrics, /^syncline_rows_bundles 1$/m)
      const ready = await fetch(`${node.admin}/health/ready`)
      assert.deepEqual(await ready.json(), { status: 'ready', store: true, relay: true, rows: true })

      await node.kill('SIGKILL')
      deviceAt(two, http, token).add(2, 'while it was dead')
      const gone = await json(['rows', 'client', 'status', '--db', two])
      assert.equal((gone as { readonly pendingRows: number }).pendingRows, 1)
      node = await startNode(data, flags)
      http = node.url.replace('ws', 'http')
      await inStep(deviceAt(two, http, token).sync())
      await inStep(deviceAt(one, http, token).sync())
      const both = ['written offline', 'while it was dead']
      assert.deepEqual(deviceAt(one, http, token).titles(), both)
      assert.deepEqual(deviceAt(two, http, token).titles(), both)

      const [scope] = (await json(['rows', 'scopes', '--data', data])) as [Record<string, unknown>]
      assert.deepEqual(scope, {
        user: 'ada',
        state: 'initialized',
        latestBundle: 2,
        retainedFloor: 0,
        sources: 2,
      })
      const pruned = await json(['rows', 'prune', '--keep', '1', '--data', data])
      assert.deepEqual(pruned, { users: 1, bundles: 1, pushSessions: 0, snapshotSessions: 0 })
      const status = (await json(['status', '--data', data])) as { readonly rows: Record<string, unknown> }
      assert.equal(status.rows.healthy, true)
      assert.deepEqual(status.rows.tables, ['app.lists', 'app.tasks'])
    } finally {
      await node[Symbol.asyncDispose]()
    }
    // Stopped cleanly, the server is gone with the node that had only found it again.
    await assert.rejects(readFile(`${data}/postgres/data/postmaster.pid`), { code: 'ENOENT' })

    const schemaFlag = ['--data', data, '--rows', folder.join('schema.json')]
    const scope = (await json(['rows', 'scope', 'show', 'ada', ...schemaFlag])) as Record<string, unknown>
    assert.deepEqual(scope.tables, [
      { table: 'app.lists', rows: 0 },
      { table: 'app.tasks', rows: 2 },
    ])
    assert.equal(scope.retainedFloor, 1)
    const written = folder.join('found.json')
    await json(['rows', 'init', '--data', data, '--out', written])
    const text = await readFile(written, 'utf8')
    assert.match(text, /^ +\{"schema": "app", "table": "tasks", "key": "id"\},$/m)
    assert.match(text, /# table app\.audit has no column _sync_scope_id/)
    const unknown = await runCommand(['rows', 'scope', 'show', 'bob', ...schemaFlag])
    assert.equal(unknown.code, 1)
    assert.match(unknown.stderr, /"bob"/)
  })

  it('does not start with what is wrong, and says by name what that is', async () => {
    await using folder = await schemaFolder()
    const refused = async (text: string, flags: readonly string[], message: RegExp) => {
      await writeFile(folder.join('wrong.json'), text)
      const file = ['--rows', folder.join('wrong.json'), '--data', folder.join('data')]
      const listeners = ['--port', '0', '--admin-enabled', 'false']
      const { code, stderr } = await runCommand(['up', ...file, ...listeners, ...flags])
      assert.equal(code, 1)
      assert.match(stderr, message)
      assert.match(stderr, /\[config\/invalid\]|\[store\/io\]/)
    }
    await refused(
      '{"tables": [{"schema": "app"}]}',
      ['--rows-auth', 'key'],
      /wrong\.json:1: tables\[0\]\.table/,
    )
    const outside = ['--rows-auth', 'insecure-header', '--database-url', 'postgres://u:secret@127.0.0.1:9/x']
    await refused(
      '{"tables": [{"table": "t"}]}',
      outside,
      /postgres:\/\/u@127\.0\.0\.1:9\/x cannot be reached/,
    )
  })
})
