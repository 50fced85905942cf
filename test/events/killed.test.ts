import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runCommand, startCommand } from '../helpers/command.ts'
import { notes } from '../helpers/notes.ts'
import type { Personality } from '../helpers/script-peer/behaviour.ts'
import { negDisabled } from '../helpers/script-peer/negentropy.ts'
import { capped } from '../helpers/script-peer/pages.ts'
import { ScriptPeer } from '../helpers/script-peer/script-peer.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

test('E-61 a process killed while it takes in what came loses nothing: the next one has every event', async () => {
  const events = notes(120)
  for (const killAt of [30, 75, 100]) {
    let kill = () => {}
    // The frame that is about to go out finds nobody: the process dies with what it has not committed.
    const deadly: Personality = {
      connect: (connection) => ({
        cuts: () => {
          if (connection.number === 1 && connection.frames === killAt) kill()
          return false
        },
      }),
    }
    await using folder = await temporaryFolder()
    await using peer = await ScriptPeer.listen({ events, is: [deadly, negDisabled(), capped(25)] })
    const args = ['sync', peer.url, '--dir', 'down', '--data', folder.path]
    const { child, result } = startCommand(args)
    kill = () => child.kill('SIGKILL')
    assert.equal((await result).code, null, 'it was killed')
    const { code, stderr } = await runCommand(args)
    assert.equal(code, 0, stderr)
    const { stdout } = await runCommand(['export', '--data', folder.path])
    const held = stdout
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { id: string }).id)
    assert.deepEqual(held.sort(), peer.set.ids())
  }
})
