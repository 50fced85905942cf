import { readFileSync } from 'node:fs'

/** The package's own version; the same two levels up from `src` and from `dist`. */
export const version: string = (
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
).version
