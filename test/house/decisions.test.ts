import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { it } from 'node:test'

const folder = new URL('../../docs/decisions/', import.meta.url)

it('decisions are numbered without gaps, have the three parts, and are listed', async () => {
  const files = (await readdir(folder)).filter((name) => name !== 'README.md').sort()
  const list = await readFile(new URL('README.md', folder), 'utf8')
  for (const [i, name] of files.entries()) {
    const number = String(i + 1).padStart(4, '0')
    assert.match(name, new RegExp(`^${number}-[a-z0-9-]+\\.md$`))
    const text = await readFile(new URL(name, folder), 'utf8')
    assert.ok(text.startsWith(`# ${number} `), name)
    const parts = [...text.matchAll(/^## (.+)$/gm)].map((match) => match[1])
    assert.deepEqual(parts.slice(0, 3), ['Context', 'Decision', 'Consequences'], name)
    assert.ok(list.includes(`(${name})`), `${name} is not in docs/decisions/README.md`)
  }
})
