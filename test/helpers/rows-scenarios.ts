import assert from 'node:assert/strict'
import type { DatabaseSync } from 'node:sqlite'
import type { Stage } from './rows-stage.ts'

export interface Scenario {
  /** As go-oversync's simulator names it (appendix B of the specification). */
  readonly name: string
  /** False: the server does not offer to watch. */
  readonly serverWatches?: boolean
  /** It restarts the server under whoever else uses it. */
  readonly restartsServer?: boolean
  play(stage: Stage): Promise<void>
}

const at = '2026-01-01T00:00:00+00:00'
let serial = 0

function uuid(): string {
  return `00000000-0000-4000-8000-${(++serial).toString(16).padStart(12, '0')}`
}

function users(count: number, name = 'user'): (db: DatabaseSync) => void {
  return (db) => {
    const insert = db.prepare('INSERT INTO users VALUES (?, ?, ?, ?, ?)')
    for (let i = 0; i < count; i++) insert.run(uuid(), `${name} ${i}`, `${name}${i}@x`, at, at)
  }
}

function posts(perUser: number): (db: DatabaseSync) => void {
  return (db) => {
    const insert = db.prepare('INSERT INTO posts VALUES (?, ?, ?, ?, ?, ?)')
    for (const { id } of db.prepare('SELECT id FROM users ORDER BY id').all())
      for (let i = 0; i < perUser; i++) insert.run(uuid(), `post ${i}`, 'text', String(id), at, at)
  }
}

function sql(text: string): (db: DatabaseSync) => void {
  return (db) => db.exec(text)
}

const count = (stage: Stage, device: string, table: string) => stage.rows(device)[table]!.length

export const scenarios: readonly Scenario[] = [
  {
    name: 'fresh-install',
    async play(stage) {
      await stage.edit('phone', users(3))
      await stage.sync('phone')
      assert.equal(count(stage, 'phone', 'users'), 3)
    },
  },
  {
    name: 'normal-usage',
    async play(stage) {
      await stage.sync('phone')
      await stage.edit('phone', users(4))
      await stage.edit('phone', posts(2))
      await stage.sync('phone')
      await stage.edit(
        'phone',
        sql(
          `UPDATE posts SET title = 'edited' WHERE title = 'post 0'; DELETE FROM posts WHERE title = 'post 1'`,
        ),
      )
      await stage.sync('phone')
      assert.equal(count(stage, 'phone', 'posts'), 4)
    },
  },
  {
    name: 'reinstall',
    async play(stage) {
      await stage.edit('phone', users(5))
      await stage.edit('phone', posts(1))
      await stage.sync('phone')
      await stage.lose('phone')
      await stage.sync('phone')
      assert.equal(count(stage, 'phone', 'posts'), 5)
      await stage.edit('phone', users(1, 'after'))
      await stage.sync('phone')
      assert.equal(count(stage, 'phone', 'users'), 6)
    },
  },
  {
    name: 'device-replacement',
    async play(stage) {
      await stage.edit('old', users(4))
      await stage.sync('old')
      await stage.sync('new')
      await stage.edit('new', posts(2))
      await stage.sync('new', 'old')
      assert.equal(count(stage, 'old', 'posts'), 8)
    },
  },
  {
    name: 'offline-online',
    async play(stage) {
      await stage.edit('phone', users(2))
      await stage.sync('phone', 'tablet')
      for (let i = 0; i < 4; i++) {
        await stage.edit('phone', users(2, `offline ${i}`))
        await stage.edit('phone', sql(`UPDATE users SET name = name || '!'`))
      }
      await stage.edit('tablet', users(3, 'other'))
      await stage.sync('phone', 'tablet', 'phone')
      assert.equal(count(stage, 'phone', 'users'), 13)
    },
  },
  {
    name: 'conflicts',
    async play(stage) {
      await stage.edit('phone', users(4))
      await stage.sync('phone', 'tablet')
      await stage.edit(
        'phone',
        sql(
          `UPDATE users SET name = 'of phone' WHERE name IN ('user 0', 'user 1'); DELETE FROM users WHERE name = 'user 2'`,
        ),
      )
      await stage.edit(
        'tablet',
        sql(
          `UPDATE users SET name = 'of tablet' WHERE name IN ('user 0', 'user 2'); DELETE FROM users WHERE name = 'user 1'`,
        ),
      )
      await stage.edit('tablet', users(1, 'beside'))
      await stage.sync('phone', 'tablet', 'phone')
      assert.equal(count(stage, 'phone', 'users'), 4)
    },
  },
  {
    name: 'user-switch',
    async play(stage) {
      await stage.edit('phone', users(3, 'of ada'))
      await stage.hand('phone', 'bob')
      await stage.edit('phone', users(2, 'of bob'))
      await stage.hand('phone', 'ada')
      await stage.sync('phone')
      assert.equal(count(stage, 'phone', 'users'), 3)
      await stage.hand('phone', 'bob')
      await stage.sync('phone')
      assert.equal(count(stage, 'phone', 'users'), 2)
    },
  },
  {
    name: 'bundle-fk-atomicity',
    async play(stage) {
      const [t, m, root] = [uuid(), uuid(), uuid()]
      await stage.edit(
        'phone',
        sql(`INSERT INTO team_members VALUES ('${m}', 'captain', '${t}'); INSERT INTO teams VALUES ('${t}', 'team', '${m}');
        INSERT INTO categories VALUES ('${uuid()}', 'leaf', '${root}'), ('${root}', 'root', NULL)`),
      )
      await stage.sync('phone', 'tablet')
      await stage.edit('tablet', sql('DELETE FROM teams; DELETE FROM categories WHERE parent_id IS NULL'))
      await stage.sync('tablet', 'phone')
      assert.deepEqual(
        ['teams', 'team_members', 'categories'].map((table) => count(stage, 'phone', table)),
        [0, 0, 0],
      )
    },
  },
  {
    name: 'complex-multi-batch',
    async play(stage) {
      await stage.edit('phone', users(20))
      await stage.edit('phone', posts(3))
      await stage.sync('phone', 'tablet')
      await stage.edit(
        'tablet',
        sql(
          `UPDATE posts SET content = 'long ' || id; DELETE FROM posts WHERE title = 'post 2'; UPDATE users SET email = id || '@x'`,
        ),
      )
      await stage.edit('tablet', posts(1))
      await stage.sync('tablet', 'phone')
      assert.equal(count(stage, 'phone', 'posts'), 60)
    },
  },
  {
    name: 'multi-device-sync',
    async play(stage) {
      const devices = ['a', 'b', 'c']
      for (const device of devices) await stage.sync(device)
      for (let round = 0; round < 2; round++)
        for (const device of devices) {
          await stage.edit(device, users(2, `${device} ${round}`))
          await stage.sync(device)
        }
      await stage.sync(...devices)
      assert.equal(count(stage, 'a', 'users'), 12)
    },
  },
  {
    name: 'multi-device-complex',
    async play(stage) {
      await stage.edit('a', users(3))
      await stage.sync('a', 'b', 'c')
      await stage.edit('a', posts(1))
      await stage.edit('b', sql(`UPDATE users SET name = 'b ' || name`))
      await stage.edit(
        'c',
        sql(`UPDATE users SET name = 'c ' || name; INSERT INTO notes (id, title) VALUES ('n', 'of c')`),
      )
      await stage.sync('c', 'a', 'b')
      await stage.edit('b', sql(`DELETE FROM posts; UPDATE notes SET title = 'of b'`))
      await stage.lose('c')
      await stage.sync('b', 'c', 'a')
      assert.equal(count(stage, 'c', 'posts'), 0)
      assert.equal(count(stage, 'c', 'users'), 3)
    },
  },
  {
    name: 'files-sync',
    async play(stage) {
      await stage.edit('phone', (db) => {
        for (let i = 1; i <= 6; i++)
          db.prepare('INSERT INTO files VALUES (?, ?, ?)').run(
            new Uint8Array(16).fill(i),
            `file ${i}`,
            new Uint8Array(i * 1_000).fill(255 - i),
          )
        db.exec(
          `INSERT INTO file_reviews SELECT CAST(substr(id, 1, 15) || x'00' AS BLOB), 'fine', id FROM files`,
        )
      })
      await stage.sync('phone', 'tablet')
      await stage.edit(
        'tablet',
        sql(`DELETE FROM files WHERE name = 'file 3'; UPDATE files SET data = x'' WHERE name = 'file 4'`),
      )
      await stage.sync('tablet', 'phone')
      assert.equal(count(stage, 'phone', 'file_reviews'), 5)
    },
  },
  {
    name: 'typed-rows',
    async play(stage) {
      await stage.edit('phone', (db) => {
        const insert = db.prepare('INSERT INTO typed_rows VALUES (?, ?, ?, ?, ?, ?, ?, ?)')
        insert.run(uuid(), 'nulls', null, null, 0, null, null, null)
        insert.run(
          uuid(),
          'values',
          '<é&😀>',
          9_007_199_254_740_993n,
          1,
          6.57111473696007,
          Uint8Array.of(0, 255),
          '2026-03-24T18:42:11.5-05:00',
        )
      })
      await stage.sync('phone', 'tablet')
      await stage.edit(
        'tablet',
        sql(`UPDATE typed_rows SET rating = -0.1, data = NULL, note = '' WHERE name = 'values'`),
      )
      await stage.sync('tablet', 'phone')
      assert.equal(count(stage, 'phone', 'typed_rows'), 2)
    },
  },
  {
    name: 'watch-peer-push',
    async play(stage) {
      await stage.sync('peer')
      await stage.watch('phone')
      for (let round = 1; round <= 2; round++) {
        await stage.edit('peer', users(2, `round ${round}`))
        await stage.sync('peer')
        await stage.arrived('phone')
        assert.equal(count(stage, 'phone', 'users'), 2 * round)
      }
    },
  },
  {
    name: 'watch-server-originated',
    async play(stage) {
      await stage.edit('peer', users(1))
      await stage.sync('peer')
      await stage.watch('phone')
      await stage.write(
        `insert into business.users (id, name, email) values (gen_random_uuid(), 'of the server', 's@x')`,
      )
      await stage.arrived('phone')
      assert.equal(count(stage, 'phone', 'users'), 2)
    },
  },
  {
    name: 'watch-reconnect-catch-up',
    restartsServer: true,
    async play(stage) {
      await stage.edit('peer', users(2))
      await stage.sync('peer')
      await stage.watch('phone')
      await stage.restartServer()
      await stage.edit('peer', posts(2))
      await stage.sync('peer')
      await stage.arrived('phone')
      assert.equal(count(stage, 'phone', 'posts'), 4)
    },
  },
  {
    name: 'watch-server-unsupported-fallback',
    serverWatches: false,
    async play(stage) {
      await stage.sync('peer')
      await stage.watch('phone')
      await stage.edit('peer', users(3))
      await stage.sync('peer')
      await stage.arrived('phone')
      assert.equal(count(stage, 'phone', 'users'), 3)
    },
  },
  {
    name: 'watch-many-clients-converge',
    async play(stage) {
      const watching = ['a', 'b', 'c', 'd']
      await stage.edit('peer', users(2))
      await stage.sync('peer')
      await stage.watch(...watching)
      // Children before their parents by key, and in circles: only whole bundles hold.
      await stage.edit('peer', posts(1))
      await stage.edit('peer', (db) => {
        for (let i = 0; i < 200; i++) {
          const [team, member] = [uuid(), uuid()]
          db.prepare('INSERT INTO team_members VALUES (?, ?, ?)').run(member, `captain ${i}`, team)
          db.prepare('INSERT INTO teams VALUES (?, ?, ?)').run(team, `team ${i}`, member)
        }
      })
      await stage.sync('peer')
      await stage.arrived(...watching)
      await stage.edit('peer', sql('DELETE FROM posts'))
      await stage.sync('peer')
      await stage.arrived(...watching)
      for (const device of watching) assert.equal(count(stage, device, 'posts'), 0)
    },
  },
]
