import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** A file shipped with the package; its root is two levels up from `src` and from `dist` alike. */
export function packageFile(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url))
}

export const version: string = (
  JSON.parse(readFileSync(packageFile('package.json'), 'utf8')) as { version: string }
).version
