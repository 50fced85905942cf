import type { DefinitionIssue } from '../../planes/events/definition/server-definition.ts'
import type { ControlErrorCode, ControlFailure } from '../sync-control.ts'

export function failure(error: ControlErrorCode, message: string): ControlFailure {
  return { ok: false, error, messages: [message] }
}

/** @param messages what a person is told; default: the issues with their fields */
export function refusal(details: readonly DefinitionIssue[], messages?: readonly string[]): ControlFailure {
  const [first] = details
  const said = details.map(({ path, code, message }) => `${path} ${message} (${code})`.trim())
  return { ok: false, error: first?.code ?? 'invalid_server', details, messages: messages ?? said }
}

export function notFound(id: string): ControlFailure {
  return failure('not_found', `there is no server ${id}`)
}
