import { parseSchedule } from '../../jobs/schedule.ts'
import type { TlsSettings } from '../../kernel/peer.ts'
import { SyncError } from '../../kernel/sync-error.ts'
import type { DefinitionOptions } from '../../planes/events/definition/normalize-server.ts'
import type {
  DefinitionErrorCode,
  DefinitionIssue,
  ServerDefinition,
} from '../../planes/events/definition/server-definition.ts'
import { readTlsFiles } from '../../transports/tls.ts'
import { definitionTls } from '../definition-tls.ts'

/** What the check of a definition needs to know about this node. */
export function checkOptions(selfUrls: readonly string[]): Omit<DefinitionOptions, 'profile'> {
  return { selfUrls, scheduleProblem }
}

function scheduleProblem(text: string): string | undefined {
  try {
    parseSchedule(text)
    return undefined
  } catch (error) {
    if (error instanceof SyncError) return `must be a schedule: ${error.message}`
    throw error
  }
}

/** Opens the files a definition names: with certificates that cannot be used it would only fail later, out of sight. */
export async function fileIssues(definition: ServerDefinition): Promise<readonly DefinitionIssue[]> {
  const { caCertFile, clientCertFile, clientKeyFile } = definitionTls(definition) ?? {}
  const issues: DefinitionIssue[] = []
  const attempt = async (field: string, code: DefinitionErrorCode, settings: TlsSettings) => {
    try {
      await readTlsFiles(settings)
    } catch (error) {
      if (!(error instanceof SyncError)) throw error
      issues.push({ path: `tls.${field}`, code, message: error.message })
    }
  }
  if (caCertFile) await attempt('ca_certfile', 'invalid_tls_ca_certfile', { caCertFile })
  if (clientCertFile === undefined || clientKeyFile === undefined) return issues
  await attempt('client_certfile', 'invalid_tls_client_certfile', { clientCertFile })
  if (issues.length === 0)
    await attempt('client_keyfile', 'invalid_tls_client_keyfile', { clientCertFile, clientKeyFile })
  return issues
}
