import { createSqliteStore } from '../../src/stores/sqlite/sqlite-store.ts'

/**
 * A process with a store of its own, to be killed: `node store-process.ts MODE DIRECTORY`. It says what it reached, a
 * line each, and ends by itself when nobody listens any more.
 */
const [mode, dir, round = ''] = process.argv.slice(2)
const say = (line: string | number) => process.stdout.write(`${line}\n`)
process.stdout.on('error', () => process.exit(0))

const store = await createSqliteStore({ dir: dir! })

/** Transactions of three rows each, several at once; says a number once its rows are durable. */
async function write(): Promise<void> {
  await store.migrate([
    {
      id: 'probe-0001-create',
      up: (tx) => tx.db.exec('CREATE TABLE probe (round TEXT, number INTEGER, part INTEGER)'),
    },
  ])
  let next = 0
  const worker = async () => {
    for (;;) {
      const number = next++
      await store.transaction(async (tx) => {
        for (const part of [0, 1, 2]) {
          tx.prepare('INSERT INTO probe VALUES (?, ?, ?)').run(round, number, part)
          if (number % 5 === part) await Promise.resolve()
        }
      })
      say(number)
    }
  }
  await Promise.all(Array.from({ length: 4 }, worker))
}

/** Stops in the middle of a migration. */
async function migrate(): Promise<void> {
  await store.migrate([
    {
      id: 'probe-0001-create',
      up(tx) {
        tx.db.exec('CREATE TABLE probe (a INTEGER); INSERT INTO probe VALUES (1)')
        say('applied, not recorded')
        return new Promise(() => {})
      },
    },
  ])
}

/** Writes until the store refuses; says its code, and what can be read then. */
async function fill(): Promise<void> {
  const { code } = await write().then(
    () => ({ code: 'none' }),
    (error) => error as { code: string },
  )
  const row = await store.read((tx) => tx.prepare('SELECT count(*) AS count FROM probe').get())
  say(`${code}, ${Number(row?.count) > 0 ? 'still readable' : 'nothing to read'}`)
}

if (mode === 'write') await write()
else if (mode === 'fill') await fill()
else if (mode === 'migrate') await migrate()
else {
  say('open')
  setInterval(() => {}, 60_000)
}
