import { z } from 'zod'
import { settingInfo } from './setting-info.ts'

const path = (description: string, defaultText: string, flag?: `--${string}`) =>
  z
    .string()
    .min(1)
    .max(4_096)
    .optional()
    .register(settingInfo, { description, allowed: 'a path', defaultText, ...(flag && { flag }) })

const claimText = (description: string) =>
  z.string().min(1).max(1_000).optional().register(settingInfo, {
    description,
    allowed: 'text of 1 to 1000 characters',
    defaultText: 'any',
  })

const origin = z.string().refine((value) => URL.canParse(value) && new URL(value).origin === value)

/** Rows of PostgreSQL, served to SQLite clients under `/sync`. */
export const rows = z.strictObject({
  schema: path(
    'The file that names the tables whose rows are served under `/sync` of the public listener. Giving it turns on the rows server; `syncline rows init` writes one.',
    'none',
    '--rows',
  ),
  auth: z.enum(['key', 'jwt', 'insecure-header']).optional().register(settingInfo, {
    description:
      'How a request says which user it comes from; must be given where rows are served. `key`: a bearer key made by `syncline rows key`; `jwt`: a bearer token signed by your application; `insecure-header`: the bearer token is taken for the name of the user without any proof, for development and on loopback only.',
    allowed: 'key, jwt or insecure-header',
    defaultText: 'none',
  }),
  keysFile: path(
    'Where the keys of `rows.auth: key` are kept, as digests by user. A change counts at once.',
    '`rows-keys.json` in the data directory',
  ),
  jwtKeyFile: path(
    'What tokens of `rows.auth: jwt` are checked with: a JSON Web Key Set (RS256, PS256, ES256 or EdDSA), a public key in PEM (RS256), or else a secret of at least 32 bytes (HS256). A change counts at once.',
    'none',
  ),
  jwtUserClaim: z.string().min(1).max(100).default('sub').register(settingInfo, {
    description: 'The claim of a token that names the user.',
    allowed: 'text of 1 to 100 characters',
  }),
  jwtIssuer: claimText('The only issuer (`iss`) whose tokens are accepted.'),
  jwtAudience: claimText('The audience (`aud`) that a token must be for.'),
  allowedOrigins: z.array(origin).max(32).default([]).register(settingInfo, {
    description: 'Web pages from elsewhere that may sync rows from a browser (CORS), by origin.',
    allowed: 'a list of at most 32 origins such as https://app.example',
  }),
})
