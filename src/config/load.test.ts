import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { SyncError } from '../kernel/sync-error.ts'
import { type ConfigSources, loadConfig } from './load.ts'
import { settings } from './setting.ts'

async function yaml(text: string) {
  const folder = await mkdtemp(join(tmpdir(), 'syncline-config-'))
  const file = join(folder, 'syncline.yaml')
  await writeFile(file, text)
  return { file, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) }
}

async function refusal(sources: ConfigSources): Promise<string> {
  const error = await loadConfig(sources).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof SyncError, `expected a SyncError, got ${String(error)}`)
  assert.equal(error.code, 'config/invalid')
  return error.message
}

describe('configuration', () => {
  it('needs nothing: every key has a default', async () => {
    const config = await loadConfig()
    assert.equal(config.data, './syncline-data')
    assert.equal(config.host, '127.0.0.1')
    assert.equal(config.port, 7777)
    assert.deepEqual(config.restrictedKinds, [1059])
    assert.equal(config.adminPubkey, undefined)
    assert.ok(config.verifier.workers >= 1)
    assert.deepEqual(config.log, { level: 'info', format: 'auto' })
  })

  it('takes a flag over the environment over the file over the default', async () => {
    await using config = await yaml('port: 1\nname: from file\nhost: ::1\nlog:\n  level: warn\n')
    const loaded = await loadConfig({
      file: config.file,
      env: { SYNCLINE_PORT: '2', SYNCLINE_NAME: 'from environment', UNRELATED: 'x' },
      flags: { port: '3', filter: 'an option of the command' },
    })
    assert.equal(loaded.port, 3)
    assert.equal(loaded.name, 'from environment')
    assert.equal(loaded.host, '::1')
    assert.equal(loaded.log.level, 'warn')
    assert.equal(loaded.log.format, 'auto')
  })

  it('finds the file by SYNCLINE_CONFIG', async () => {
    await using config = await yaml('port: 1\n')
    assert.equal((await loadConfig({ env: { SYNCLINE_CONFIG: config.file } })).port, 1)
  })

  it('reads lists and names with numbers from flags and environment', async () => {
    const env = { SYNCLINE_RESTRICTED_KINDS: '4, 1059', SYNCLINE_LIMITS: 'max_limit=1000,max_filters=4' }
    const config = await loadConfig({ env, flags: { publicUrls: 'wss://a.example/,ws://b.example:1/' } })
    assert.deepEqual(config.restrictedKinds, [4, 1059])
    assert.deepEqual({ ...config.limits }, { max_limit: 1000, max_filters: 4 })
    assert.deepEqual(config.publicUrls, ['wss://a.example/', 'ws://b.example:1/'])
    assert.deepEqual((await loadConfig({ env: { SYNCLINE_RESTRICTED_KINDS: '' } })).restrictedKinds, [])
  })

  it('every setting can be given by its flag and by its variable', async () => {
    const samples: Record<string, string> = {
      text: 'warn',
      number: '61',
      boolean: 'false',
      'text-list': 'wss://a/',
      'number-list': '1',
      'number-record': 'a=1',
      json: '[{"kinds":[1]}]',
    }
    const own: Record<string, string> = {
      syncPage: 'open',
      'policy.readAccess': 'authenticated',
      'policy.writeAccess': 'authenticated',
      'policy.write': '[{"action":"deny"}]',
      'policy.read': '[{"action":"deny"}]',
      'log.format': 'json',
      writePolicyPluginFailure: 'accept',
      adminPubkey: 'ab'.repeat(32),
      'schedule.realtime': '7m',
      'schedule.backfill': 'off',
      'schedule.upload': '04:00',
      'schedule.full': '5 4 * * 0',
      'schedule.recovery': 'off',
      'schedule.housekeeping': '1d',
      'admin.publicUrls': 'https://a',
      trustedProxies: '10.0.0.0/8',
      'admin.allowedOrigins': 'https://a',
      'admin.pubkeys': 'ab'.repeat(32),
      'admin.metricsAccess': 'key',
      'proactive.domain': 'git.example.org',
      'proactive.privateAddresses': 'true',
      'grasp.policy': 'open',
      'grasp.archiveAll': 'true',
      'grasp.archiveServices': 'grasp.example.org',
      'grasp.archiveReadOnly': 'true',
      'grasp.denyAuthors': 'ab'.repeat(32),
      'proactive.outboxAuthors': 'ab'.repeat(32),
      databaseUrl: 'postgres://a/b',
      'rows.auth': 'jwt',
      'rows.allowedOrigins': 'https://a',
      'documents.enabled': 'true',
      'documents.iroh': 'true',
      'documents.irohBind': '127.0.0.1:0',
    }
    for (const setting of settings) {
      const other =
        setting.key === 'verifier.workers' ? String(Number(setting.default) + 1) : samples[setting.kind]!
      const text = own[setting.key] ?? other
      const pick = (config: unknown) =>
        setting.path.reduce((node, name) => (node as Record<string, unknown>)[name], config)
      const byFlag = pick(await loadConfig({ flags: { [setting.attribute]: text } }))
      const byVariable = pick(await loadConfig({ env: { [setting.env]: text } }))
      assert.deepEqual(byFlag, byVariable, setting.key)
      assert.notDeepEqual(byFlag, setting.default, `${setting.key} ignores its flag`)
    }
  })

  it('never repeats what may hold a password', async () => {
    await assert.rejects(
      loadConfig({ env: { SYNCLINE_DATABASE_URL: 'http://u:secret@a' } }),
      (error: Error) => {
        assert.match(error.message, /databaseUrl: what is given \(SYNCLINE_DATABASE_URL\) is not allowed/)
        assert.ok(!error.message.includes('secret'))
        return true
      },
    )
  })

  it('names flags and variables after their key', () => {
    const idle = settings.find(({ key }) => key === 'sync.idleSeconds')!
    assert.deepEqual(
      [idle.flag, idle.env, idle.attribute],
      ['--sync-idle-seconds', 'SYNCLINE_SYNC_IDLE_SECONDS', 'syncIdleSeconds'],
    )
    const rows = settings.find(({ key }) => key === 'rows.schema')!
    assert.deepEqual([rows.flag, rows.env, rows.attribute], ['--rows', 'SYNCLINE_ROWS_SCHEMA', 'rows'])
  })

  it('says which key is wrong, with its value, where it came from and what is allowed', async () => {
    await using config = await yaml('name: x\nlog:\n  format: json\n  level: loud\n')
    const message = await refusal({
      file: config.file,
      env: { SYNCLINE_PORT: '70000' },
      flags: { verifierWorkers: 'many' },
    })
    const lines = message.split('\n').slice(1).sort()
    assert.deepEqual(lines, [
      `log.level: "loud" (${config.file}:4) is not allowed; allowed: debug, info, warn, error or silent`,
      'port: 70000 (SYNCLINE_PORT) is not allowed; allowed: a whole number from 0 to 65535',
      'verifier.workers: "many" (--verifier-workers) is not allowed; allowed: a whole number from 1 to 256',
    ])
  })

  it('refuses unknown keys of a file, with their line', async () => {
    await using config = await yaml(
      'name: x\nprot: 1\nlog:\n  levle: warn\nsync:\n  idleSeconds: 60\n__proto__: 1\n',
    )
    const message = await refusal({ file: config.file })
    assert.match(message, /prot \(.*syncline\.yaml:2\) is no setting/)
    assert.match(message, /log\.levle \(.*syncline\.yaml:4\) is no setting/)
    assert.match(message, /__proto__ \(.*syncline\.yaml:7\) is no setting/)
  })

  it('refuses unknown variables that begin with SYNCLINE_', async () => {
    assert.match(await refusal({ env: { SYNCLINE_PROT: '1' } }), /SYNCLINE_PROT is no setting/)
    await loadConfig({ env: { SYNCLINE_TEST_DATABASE_URL: 'postgres://x' } })
  })

  it('refuses a value where a group of settings belongs, whatever else sets the group', async () => {
    await using config = await yaml('log: 5\n')
    assert.match(await refusal({ file: config.file }), /log \(.*syncline\.yaml:1\) is a group/)
    assert.match(
      await refusal({ file: config.file, env: { SYNCLINE_LOG_LEVEL: 'warn' } }),
      /log \(.*syncline\.yaml:1\) is a group/,
    )
  })

  for (const [name, text, says] of [
    ['a list', '- a\n', /must hold settings/],
    ['broken YAML', 'port: 1\nname: "x\n', /syncline\.yaml:\d is not valid YAML/],
    ['a key given twice', 'port: 1\nport: 2\n', /syncline\.yaml:2 is not valid YAML/],
    ['a null', 'port:\n', /port: null \(.*syncline\.yaml:1\) is not allowed/],
  ] as const)
    it(`refuses a file with ${name}, and names the place`, async () => {
      await using config = await yaml(text)
      assert.match(await refusal({ file: config.file }), says)
    })

  it('takes an empty file and an empty group for what they are', async () => {
    await using config = await yaml('# nothing yet\nlog:\n  # level: warn\n')
    assert.equal((await loadConfig({ file: config.file })).log.level, 'info')
    await using empty = await yaml('')
    assert.equal((await loadConfig({ file: empty.file })).port, 7777)
  })

  it('refuses a file that is not there, and says which', async () => {
    assert.match(
      await refusal({ file: '/nowhere/syncline.yaml' }),
      /\/nowhere\/syncline\.yaml cannot be read/,
    )
  })

  for (const [flag, value] of [
    ['trustedProxies', 'localhost'],
    ['trustedProxies', '10.0.0.0/33'],
    ['publicUrls', 'https://a.example/'],
    ['publicUrls', 'wss://a.example/#x'],
    ['adminPubkey', 'AB'.repeat(32)],
    ['adminPubkey', `npub1${'q'.repeat(58)}`],
    ['restrictedKinds', '70000'],
    ['restrictedKinds', 'four'],
    ['limits', 'max_limit'],
    ['limits', 'max_limit=-1'],
    ['port', '1.5'],
    ['port', ''],
    ['port', '0x10'],
    ['data', ''],
    ['name', 'x'.repeat(30)],
  ] as const)
    it(`refuses ${flag} ${value.slice(0, 24)}`, async () => {
      assert.match(await refusal({ flags: { [flag]: value } }), new RegExp(`^${flag}: `, 'm'))
    })

  it('answers any text in any variable with a configuration or with config/invalid', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...settings), fc.string(), async (setting, text) => {
        try {
          await loadConfig({ env: { [setting.env]: text } })
        } catch (error) {
          if (!(error instanceof SyncError)) throw error
          assert.ok(error.message.includes(setting.env), error.message)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('answers any YAML with a configuration or with config/invalid', async () => {
    const { parseConfigFile } = await import('./file.ts')
    const line = fc.stringMatching(/^[ -]{0,3}[a-z&*!<"']{0,6}[:{[ ]{0,2}[a-z0-9&*\]}"']{0,6}$/)
    fc.assert(
      fc.property(fc.array(fc.oneof(line, fc.constant('log:'), fc.constant('  level: warn'))), (lines) => {
        try {
          parseConfigFile('x.yaml', lines.join('\n'))
        } catch (error) {
          if (!(error instanceof SyncError)) throw error
        }
      }),
      { numRuns: 500 },
    )
  })
})
