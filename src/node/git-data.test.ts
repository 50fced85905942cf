import assert from 'node:assert/strict'
import { test } from 'node:test'
import { temporaryFolder } from '../../test/helpers/temporary-folder.ts'
import { loadConfig } from '../config/load.ts'
import type { Logger } from '../kernel/logger.ts'
import { silentLogger } from '../kernel/logger.ts'
import { openNode } from './create-node.ts'

test('without git on the machine the node says so in its log and its status, and works on events', async () => {
  await using folder = await temporaryFolder()
  const flags = { data: folder.join('data'), gitDir: folder.join('git'), proactiveDomain: 'git.example.org' }
  const config = await loadConfig({ flags })
  const warnings: string[] = []
  const log: Logger = { ...silentLogger, warn: (text) => void warnings.push(text), child: () => log }
  const { PATH } = process.env
  process.env.PATH = folder.path
  try {
    await using node = await openNode(config, { log })
    const { git } = await node.status()
    assert.deepEqual(git, { problem: 'there is no git on this machine; install it to keep git data' })
    assert.deepEqual(warnings, ['only events are synced, no git data'])
  } finally {
    process.env.PATH = PATH
  }
})

test('a folder for git data is refused where no repositories are kept', async () => {
  await using folder = await temporaryFolder()
  const flags = { data: folder.join('data'), gitDir: folder.join('git') }
  await assert.rejects(
    openNode(await loadConfig({ flags })),
    /gitDir: git data is kept with proactive.domain/,
  )
})
