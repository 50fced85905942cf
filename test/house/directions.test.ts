import assert from 'node:assert/strict'
import { glob, readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { describeViolation, type SourceFile, violations } from './house-rules.ts'

const root = new URL('../../', import.meta.url)

async function sources(): Promise<SourceFile[]> {
  const files: SourceFile[] = []
  for await (const path of glob(['src/**/*.ts', 'web/**/*.{ts,tsx}'], {
    cwd: root,
    exclude: ['**/node_modules/**', '**/dist/**'],
  }))
    files.push({ path: path.replaceAll('\\', '/'), text: await readFile(new URL(path, root), 'utf8') })
  return files.sort((a, b) => (a.path < b.path ? -1 : 1))
}

describe('rules of the house', () => {
  it('hold in every source file', async () => {
    const files = await sources()
    assert.ok(files.length > 20, `only ${files.length} source files were found`)
    const broken = violations(files)
    assert.ok(broken.length === 0, `\n${broken.map(describeViolation).join('\n')}\n`)
  })

  // The rules themselves, on planted violations: a checker that finds nothing would otherwise look like a clean house.
  const planted: readonly [string, string, RegExp][] = [
    ['src/kernel/a.ts', `import { x } from 'zod'`, /kernel imports no package/],
    ['src/kernel/a.ts', `import fs from 'node:fs'`, /kernel imports no package and no node: module/],
    [
      'src/kernel/a.ts',
      `import type { X } from '../negentropy/key.ts'`,
      /kernel imports no other room, not negentropy/,
    ],
    ['src/kernel/a.ts', `const x = Date.now()`, /Clock and Random/],
    ['src/kernel/a.ts', `setTimeout(() => {}, 1)`, /Clock and Random/],
    ['src/negentropy/a.ts', `import { x } from '../kernel/link.ts'`, /negentropy imports no other room/],
    ['src/negentropy/a.ts', `import { x } from 'node:crypto'`, /only @noble\/hashes/],
    ['src/planes/events/a.ts', `import type { X } from '../rows/b.ts'`, /events must not know rows/],
    ['src/planes/events/sub/a.ts', `export * from '../../rows/b.ts'`, /events must not know rows/],
    [
      'src/planes/events/a.ts',
      `import { x } from '../../stores/sqlite/sqlite-tx.ts'`,
      /only \*\.sqlite\.ts files/,
    ],
    [
      'src/planes/events/a.postgres.ts',
      `import { x } from '../../stores/sqlite/sqlite-tx.ts'`,
      /only \*\.sqlite\.ts files/,
    ],
    [
      'src/planes/events/a.ts',
      `import {\n  x,\n  y,\n} from '../../transports/ws.ts'`,
      /planes imports only kernel, negentropy, not transports/,
    ],
    ['src/transports/a.ts', `await import('../node/index.ts')`, /transports imports only kernel, not node/],
    [
      'src/stores/sqlite/a.ts',
      `import '../../planes/events/event.ts'`,
      /stores imports only kernel, not planes/,
    ],
    [
      'src/jobs/a.ts',
      `new Worker(new URL('../node/worker.ts', import.meta.url))`,
      /jobs imports only kernel, not node/,
    ],
    [
      'src/config/a.ts',
      `import type { L } from '../planes/events/limits.ts'`,
      /config imports only kernel, not planes/,
    ],
    ['src/node/a.ts', `import { x } from '../cli/b.ts'`, /node imports only .*, not cli/],
    ['src/sdk/a.ts', `import { x } from '../cli/b.ts'`, /sdk imports only .*, not cli/],
    ['web/src/a.ts', `import { x } from '../../src/node/index.ts'`, /web imports only sdk, not node/],
    ['src/node/a.ts', `import { x } from '../../test/helpers/fake-clock.ts'`, /outside the rooms/],
    ['src/transports/a.ts', `import x from '../../package.json'`, /outside the rooms/],
    ['src/helpers/a.ts', '', /no such room/],
    ['src/node/eventStore.ts', '', /kebab-case/],
    ['src/node/someFolder/a.ts', '', /kebab-case/],
    ['src/node/a.ts', 'x\n'.repeat(401), /at most 400 lines/],
    ['src/node/a.ts', `console.log('x')`, /take a Logger/],
    ['src/node/a.ts', 'process.exit(1)', /throw instead/],
    ['src/node/a.ts', `// ${'TO'}${'DO'} later`, /finish it/],
  ]
  for (const [path, text, rule] of planted)
    it(`find ${path}: ${text.split('\n').length > 20 ? `${text.split('\n').length - 1} lines` : text.replaceAll('\n', ' ')}`, () => {
      const broken = violations([{ path, text }])
      assert.equal(broken.length, 1, broken.map(describeViolation).join('\n'))
      assert.match(broken[0]!.rule, rule)
      assert.ok(describeViolation(broken[0]!).startsWith(path))
    })

  const allowed: readonly [string, string][] = [
    ['src/node/version.ts', `const text = readFileSync(new URL('../../package.json', import.meta.url))`],
    [
      'src/kernel/a.ts',
      `import type { Link } from './link.ts'\n// Date.now is not used here\n/* import x from 'zod' */`,
    ],
    ['src/kernel/clock.ts', 'const now = () => Date.now()'],
    ['src/kernel/a.test.ts', `import assert from 'node:assert/strict'\nsetTimeout(() => {}, 1)`],
    ['src/negentropy/a.ts', `import { sha256 } from '@noble/hashes/sha2.js'`],
    [
      'src/planes/events/a.sqlite.ts',
      `import type { SqliteTx } from '../../stores/sqlite/sqlite-tx.ts'\nimport { z } from 'zod'`,
    ],
    [
      'src/planes/events/sync/a.ts',
      `import { x } from '../event.ts'\nimport type { K } from '../../../negentropy/key.ts'`,
    ],
    ['src/cli/syncline.ts', `console.log('https://example.org/'); process.exit(0)`],
    ['src/node/event-store.sqlite.test.ts', 'x\n'.repeat(400)],
  ]
  for (const [path, text] of allowed)
    it(`allow ${path}: ${text.length > 80 ? `${text.slice(0, 80).replaceAll('\n', ' ')}…` : text.replaceAll('\n', ' ')}`, () => {
      assert.deepEqual(violations([{ path, text }]).map(describeViolation), [])
    })
})
