import assert from 'node:assert/strict'
import { glob, readFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import { it } from 'node:test'

const folder = new URL('./', import.meta.url)

it('the SDK runs in a browser: without its types it imports nothing but itself', async () => {
  const files: string[] = []
  for await (const path of glob('*.ts', { cwd: folder })) if (!path.endsWith('.test.ts')) files.push(path)
  assert.ok(files.includes('client.ts'))
  for (const path of files) {
    const code = stripTypeScriptTypes(await readFile(new URL(path, folder), 'utf8'))
    for (const [, specifier = ''] of code.matchAll(/(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g))
      assert.match(specifier, /^\.\/[a-z-]+\.ts$/, `${path} imports ${specifier}`)
    assert.doesNotMatch(code, /\b(process|Buffer|require|__dirname)\b/, path)
  }
})
