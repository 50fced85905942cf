import type { Config } from '../../config/schema.ts'
import type { Clock } from '../../kernel/clock.ts'
import type { Logger } from '../../kernel/logger.ts'
import { SyncError } from '../../kernel/sync-error.ts'
import type { Authenticator } from '../../planes/rows/server/index.ts'
import { parseRowsKeys, rowsKeyDigest, rowsKeysFile } from './rows-keys.ts'
import { TokenCheck } from './token-check.ts'
import { WatchedFile } from './watched-file.ts'

export interface AuthenticatorOptions {
  readonly config: Config
  readonly directory: string
  readonly clock: Clock
  readonly log: Logger
}

const loopback = /^(localhost|127\.[\d.]+|::1)$/

/**
 * Who a request comes from, as `rows.auth` says.
 *
 * @throws SyncError `config/invalid` naming the setting that is missing or wrong
 */
export async function rowsAuthenticator(options: AuthenticatorOptions): Promise<Authenticator> {
  const { config, directory, clock, log } = options
  switch (config.rows.auth) {
    case undefined:
      throw new SyncError(
        'config/invalid',
        'rows.auth is missing: say how users are known by --rows-auth key or jwt; insecure-header is for development',
      )
    case 'key':
      return keyAuthenticator(rowsKeysFile(config, directory), clock)
    case 'jwt': {
      const check = await TokenCheck.open(config.rows, clock)
      return (request) => check.userOf(bearer(request))
    }
    case 'insecure-header':
      if (!loopback.test(config.host))
        throw new SyncError(
          'config/invalid',
          `rows.auth: insecure-header believes whatever a request says, so it is refused on ${config.host}: listen on 127.0.0.1, or use key or jwt`,
        )
      log.warn('rows.auth is insecure-header: whoever reaches this listener is whoever he says he is')
      return bearer
  }
}

async function keyAuthenticator(file: string, clock: Clock): Promise<Authenticator> {
  const keys = new WatchedFile(
    file,
    (bytes) =>
      new Map(
        Object.entries(parseRowsKeys(bytes.toString('utf8'))).flatMap(([user, digests]) =>
          digests.map((digest) => [digest, user] as const),
        ),
      ),
    clock,
  )
  // Before the first key is made there is no file, and nobody gets in.
  await keys.value().catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
  })
  return async (request) => (await keys.value()).get(rowsKeyDigest(bearer(request))) ?? ''
}

/** Blank without one. */
function bearer(request: Request): string {
  return /^Bearer +(\S+) *$/i.exec(request.headers.get('authorization') ?? '')?.[1] ?? ''
}
