import type { Direction } from '../../../kernel/link.ts'
import { readConfig } from './config-overrides.ts'
import { FieldReader, isFields } from './field-reader.ts'
import { readFilters, readUploadFilters } from './filter-list.ts'
import { readLabels, readPlugins, readSchedule } from './more-fields.ts'
import { isWhole } from './relay-config.ts'
import { normalizeRelayUrl } from './relay-url.ts'
import type {
  DefinitionProfile,
  DefinitionResult,
  IdentityField,
  RelayInfoMode,
  ServerDefinition,
  SyncMode,
  UploadExpiring,
} from './server-definition.ts'
import { readTls } from './tls-definition.ts'

export interface DefinitionOptions {
  readonly profile: DefinitionProfile
  /** URLs of the node itself, which it must not sync with. */
  readonly selfUrls?: readonly string[] | undefined
  /** Why a text is no schedule; undefined: it is one. Default: anything is one. */
  readonly scheduleProblem?: ((text: string) => string | undefined) | undefined
}

const modes: readonly SyncMode[] = ['req_stream', 'poll', 'negentropy', 'sync_page', 'auto']
const infoModes: readonly RelayInfoMode[] = ['required', 'optional', 'disabled']
const directions: readonly Direction[] = ['down', 'up', 'both']
const identityFields: readonly IdentityField[] = ['self', 'pubkey', 'either']
const uploadExpiring: readonly UploadExpiring[] = ['auto', 'always', 'never']
/** Every field of a definition, by all its names. */
export const serverFields: readonly string[] = [
  'id',
  'url',
  'enabled?',
  'enabled',
  'auth_pubkey',
  'filters',
  'mode',
  'overlap_window_seconds',
  'relay_info_mode',
  'identity_field',
  'auth',
  'tls',
  'metadata',
  'direction',
  'upload_filters',
  'backfill',
  'negentropy',
  'schedule',
  'plugins',
  'accept_protected_from_peers',
  'upload_expiring',
  'labels',
  'notes',
  'config',
]

/**
 * Checks the map of Parrhesia's `put_server` and brings it to its one normal form (spec events §2.2–§2.5, §2.10). All
 * violations are told, the first in the order of §2.3 is the answer's code. Reads no file and no clock. The normal form
 * normalises to itself.
 */
export function normalizeServer(
  input: unknown,
  { profile, selfUrls = [], scheduleProblem }: DefinitionOptions,
): DefinitionResult {
  if (!isFields(input)) {
    const issue = { path: '', code: 'invalid_server', message: 'a definition is an object' } as const
    return { ok: false, error: issue.code, details: [issue] }
  }
  const reader = new FieldReader(input)
  const id = readId(reader)
  const url = readUrl(reader, selfUrls)
  const enabled = readEnabled(reader)
  const pubkey = readPubkey(reader, profile)
  const value: ServerDefinition = {
    id,
    url: url === undefined ? '' : (reader.given('url') as string),
    'enabled?': enabled,
    auth_pubkey: pubkey,
    filters: readFilters(reader, profile === 'open' ? [{}] : undefined),
    mode: reader.choice('mode', modes, 'req_stream', 'invalid_mode'),
    overlap_window_seconds: readOverlap(reader),
    relay_info_mode: infoMode(reader, profile, true),
    auth: readAuth(reader),
    tls: readTls(reader, url, profile),
    metadata: readMetadata(reader),
    identity_field: reader.choice('identity_field', identityFields, 'self', 'invalid_identity_field'),
    direction: reader.choice('direction', directions, 'down', 'invalid_direction'),
    upload_filters: readUploadFilters(reader),
    backfill: reader.boolean('backfill', true, 'invalid_backfill'),
    negentropy: reader.boolean('negentropy', false, 'invalid_negentropy'),
    schedule: readSchedule(reader, scheduleProblem),
    plugins: readPlugins(reader),
    accept_protected_from_peers: reader.boolean(
      'accept_protected_from_peers',
      false,
      'invalid_accept_protected_from_peers',
    ),
    upload_expiring: reader.choice('upload_expiring', uploadExpiring, 'auto', 'invalid_upload_expiring'),
    labels: readLabels(reader),
    notes: readNotes(reader),
    config: readConfig(reader),
  }
  reader.refuseUnknown(serverFields)
  const [first] = reader.issues
  return first === undefined ? { ok: true, value } : { ok: false, error: first.code, details: reader.issues }
}

function readId(reader: FieldReader): string {
  const id = reader.given('id')
  if (typeof id === 'string' && /^[A-Za-z0-9._:-]{1,64}$/.test(id)) return id
  reader.refuse('id', 'invalid_server_id', 'must be 1 to 64 characters of A-Z a-z 0-9 . _ : -')
  return ''
}

function readUrl(reader: FieldReader, selfUrls: readonly string[]): URL | undefined {
  const text = reader.given('url')
  if (typeof text !== 'string' || text === '') {
    reader.refuse('url', 'invalid_url', 'must be given, like wss://relay.example.com')
    return undefined
  }
  try {
    const normal = normalizeRelayUrl(text)
    if (!selfUrls.some((mine) => normalizeRelayUrl(mine) === normal)) return new URL(normal)
    reader.refuse('url', 'invalid_url', 'is this node itself')
  } catch (error) {
    reader.refuse('url', 'invalid_url', (error as Error).message)
  }
  return undefined
}

function readEnabled(reader: FieldReader): boolean {
  const alias = reader.given('enabled')
  const name = reader.given('enabled?') === undefined && alias !== undefined ? 'enabled' : 'enabled?'
  const enabled = reader.boolean(name, true, 'invalid_enabled_flag')
  if (alias !== undefined && alias !== reader.given(name))
    reader.refuse('enabled', 'invalid_enabled_flag', 'contradicts enabled?; give one of the two')
  return enabled
}

function readPubkey(reader: FieldReader, profile: DefinitionProfile): string | null {
  const given = reader.given('auth_pubkey')
  const optional = profile === 'open' && infoMode(reader, profile, false) !== 'required'
  if (optional && (given === undefined || given === null)) return null
  const key = typeof given === 'string' ? given.toLowerCase() : ''
  if (/^[0-9a-f]{64}$/.test(key)) return key
  reader.refuse('auth_pubkey', 'invalid_auth_pubkey', 'must be the public key of the relay, 64 hex digits')
  return null
}

/** @param report false where the value is only looked at, before its turn in the order of checks */
function infoMode(reader: FieldReader, profile: DefinitionProfile, report: boolean): RelayInfoMode {
  const fallback = profile === 'strict' ? 'required' : 'optional'
  if (report) return reader.choice('relay_info_mode', infoModes, fallback, 'invalid_relay_info_mode')
  return infoModes.find((mode) => mode === reader.given('relay_info_mode')) ?? fallback
}

function readOverlap(reader: FieldReader): number {
  const seconds = reader.given('overlap_window_seconds')
  if (seconds === undefined) return 300
  if (isWhole(seconds, 0, Number.MAX_SAFE_INTEGER)) return seconds
  const message = 'must be a whole number of seconds from 0'
  reader.refuse('overlap_window_seconds', 'invalid_overlap_window_seconds', message)
  return 300
}

function readAuth(reader: FieldReader): ServerDefinition['auth'] {
  const auth = reader.inner('auth', 'invalid_auth')
  const type = auth.choice('type', ['nip42'], 'nip42', 'invalid_auth_type')
  const authModes = ['on_challenge', 'on_required', 'disabled'] as const
  const mode = auth.choice('mode', authModes, 'on_challenge', 'invalid_auth_mode')
  // A role that no key stands behind would sign as somebody else in silence.
  const identity = auth.choice('identity', ['relay'], 'relay', 'invalid_auth_identity')
  auth.refuseUnknown(['type', 'mode', 'identity'])
  return { type, mode, identity }
}

function readMetadata(reader: FieldReader): ServerDefinition['metadata'] {
  const metadata = reader.given('metadata')
  if (metadata === undefined) return {}
  if (isFields(metadata)) return metadata
  reader.refuse('metadata', 'invalid_metadata', 'must be an object')
  return {}
}

function readNotes(reader: FieldReader): string | null {
  const notes = reader.given('notes') ?? null
  if (notes === null || typeof notes === 'string') return notes
  reader.refuse('notes', 'invalid_notes', 'must be a text or null')
  return null
}
