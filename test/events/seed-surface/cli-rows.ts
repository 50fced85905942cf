import assert from 'node:assert/strict'
import { runCommand } from '../../helpers/command.ts'
import { temporaryFolder } from '../../helpers/temporary-folder.ts'
import type { Row, Table } from './surface.ts'

/** A command by the words that call it, and what its help must offer. */
const command = (words: string, lives: string, ...offers: readonly string[]): Row => ({
  name: `syncline ${words}${offers.length > 0 ? ` (${offers.join(' ')})` : ''}`,
  lives,
  check: (surface) => {
    const help = surface.command(...words.split(' ')).helpInformation()
    for (const offer of offers) assert.ok(help.includes(offer), `${offer} is not in its help`)
  },
})

const exits = (name: string, code: number, ...args: readonly string[]): Row => ({
  name: `exit code ${code}: ${name}`,
  lives: 'src/cli/failure.ts',
  check: async () => {
    await using folder = await temporaryFolder()
    const result = await runCommand([...args, '--data', folder.join('data')])
    assert.equal(result.code, code, result.stderr)
  },
})

export const cliTable: Table = {
  section: '4.19',
  rows: [
    command('status', 'src/cli/status.ts', '--json'),
    command('trigger', 'src/cli/trigger.ts', '--json', 'realtime', 'backfill', 'upload', 'full'),
    command('recover', 'src/cli/recover.ts', '--json'),
    command('reset', 'src/cli/reset.ts', '--json', '--yes'),
    command('relays', 'src/cli/relays.ts', '--json'),
    command('relay list', 'src/cli/relay.ts', '--json'),
    command('relay add', 'src/cli/relay.ts', '--json'),
    command('relay set', 'src/cli/relay.ts', '--json'),
    command('relay remove', 'src/cli/relay.ts', '--json'),
    command('config', 'src/cli/config.ts', '--json'),
    command('key create', 'src/cli/key.ts', '--json'),
    command('key list', 'src/cli/key.ts', '--json'),
    command('key revoke', 'src/cli/key.ts', '--json'),
    command('copy', 'src/cli/copy.ts', '--json'),
    command('sync', 'src/cli/sync.ts', '--json', '--dir', '--filter'),
    command('export', 'src/cli/export.ts', '--json'),
    command('import', 'src/cli/import.ts', '--json'),
    exits('done', 0, 'status', '--json'),
    exits('wrong usage', 2, 'trigger', 'sometimes'),
    exits('nothing there to be reached', 4, 'sync', 'ws://127.0.0.1:9/', '--dir', 'down'),
    exits('nobody said yes', 1, 'key', 'revoke', 'rlk_none'),
  ],
}
