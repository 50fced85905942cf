import { createHash, webcrypto } from 'node:crypto'
import 'reflect-metadata'
import * as x509 from '@peculiar/x509'

x509.cryptoProvider.set(webcrypto as never)

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const day = 86_400_000
let serial = 0

export interface Issued {
  /** PEM. */
  readonly cert: string
  readonly key: string
  /** What pins this key. */
  readonly pin: string
  readonly name: string
  readonly keys: CryptoKeyPair
}

type CryptoKeyPair = webcrypto.CryptoKeyPair

export interface CertificateOptions {
  /** Default: itself. */
  readonly issuer?: Issued
  readonly name: string
  /** Host names and IP addresses it is for; none makes it a certificate authority. */
  readonly hosts?: readonly string[]
  /** Days from now; default: until tomorrow. */
  readonly expires?: number
  /** Default: a key of its own. */
  readonly publicKey?: webcrypto.CryptoKey
}

/** A real certificate with a key of its own. */
export async function certificate(options: CertificateOptions): Promise<Issued> {
  const { issuer, name, hosts, expires = 1 } = options
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const publicKey = options.publicKey ?? keys.publicKey
  serial += 1
  const made = await x509.X509CertificateGenerator.create({
    serialNumber: serial.toString(16).padStart(4, '0'),
    subject: `CN=${name}`,
    issuer: `CN=${issuer?.name ?? name}`,
    notBefore: new Date(Date.now() - 30 * day),
    notAfter: new Date(Date.now() + expires * day),
    signingAlgorithm: algorithm,
    publicKey: publicKey as never,
    signingKey: (issuer?.keys ?? keys).privateKey as never,
    extensions:
      hosts === undefined
        ? [new x509.BasicConstraintsExtension(true, undefined, true)]
        : [
            new x509.BasicConstraintsExtension(false, undefined, true),
            new x509.SubjectAlternativeNameExtension(
              hosts.map((value) => ({ type: /^[\d.]+$/.test(value) ? 'ip' : 'dns', value })),
            ),
          ],
  })
  const spki = new Uint8Array(await webcrypto.subtle.exportKey('spki', publicKey))
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)
  return {
    cert: `${made.toString('pem')}\n`,
    key: x509.PemConverter.encode(pkcs8, 'PRIVATE KEY'),
    pin: createHash('sha256').update(spki).digest('base64'),
    name,
    keys,
  }
}
