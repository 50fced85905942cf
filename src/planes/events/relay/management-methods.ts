import * as z from 'zod'
import type { BanTarget, EventStore } from '../event-store.ts'
import { isAddressOrRange } from '../policy/address-list.ts'
import type { Moderation, ModerationList } from '../policy/moderation.ts'

/** Of a NIP-86 call: how its parameters look, and what it does. */
interface Method {
  readonly params: z.ZodType<readonly unknown[]>
  run(params: readonly unknown[]): unknown
}

export type ManagementMethods = ReadonlyMap<string, Method>

const hex64 = z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 lowercase hex digits')
const reason = z.string().max(500).default('')
const kind = z.int().min(0).max(65_535)
const address = z
  .string()
  .max(64)
  .refine(isAddressOrRange, 'must be an IP address or a range such as 192.0.2.0/24')
const picture = z
  .string()
  .max(1_000)
  .refine((text) => text === '' || /^https?:\/\//.test(text), 'must be an http:// or https:// address')

const none = z.tuple([]).rest(z.unknown())
const one = <T extends z.ZodType>(type: T) => z.tuple([type]).rest(z.unknown())
/** Clients may leave the reason out, or send null for it. */
const withReason = <T extends z.ZodType>(type: T) =>
  z.preprocess(
    (value) => (Array.isArray(value) ? [value[0], value[1] ?? ''] : value),
    z.tuple([type, reason]),
  )

/** The methods of NIP-86 that mean something here; `supportedmethods` names exactly these. */
export function managementMethods(
  store: Pick<EventStore<unknown>, 'ban' | 'unban' | 'bans'>,
  moderation: Moderation,
): ManagementMethods {
  const methods = new Map<string, Method>()
  const add = <P extends readonly unknown[]>(
    name: string,
    params: z.ZodType<P>,
    run: (params: P) => unknown,
  ) => methods.set(name, { params, run: (checked) => run(checked as P) })

  add('supportedmethods', none, () => [...methods.keys()].sort())
  addBans(add, store)
  addLists(add, moderation)
  addInfo(add, moderation)
  return methods
}

type Add = <P extends readonly unknown[]>(
  name: string,
  params: z.ZodType<P>,
  run: (params: P) => unknown,
) => void

function addBans(add: Add, store: Pick<EventStore<unknown>, 'ban' | 'unban' | 'bans'>): void {
  const ban = async (by: BanTarget['by'], value: string, why: string) => {
    await store.ban({ by, value }, why)
    return true
  }
  const unban = async (by: BanTarget['by'], value: string) => {
    await store.unban({ by, value })
    return true
  }
  const listed = async (by: BanTarget['by'], name: string) =>
    (await store.bans(by)).map((one) => ({ [name]: one.value, reason: one.reason }))
  add('banpubkey', withReason(hex64), ([pubkey, why]) => ban('pubkey', pubkey, why))
  add('unbanpubkey', withReason(hex64), ([pubkey]) => unban('pubkey', pubkey))
  add('listbannedpubkeys', none, () => listed('pubkey', 'pubkey'))
  add('banevent', withReason(hex64), ([id, why]) => ban('id', id, why))
  add('allowevent', withReason(hex64), ([id]) => unban('id', id))
  add('listbannedevents', none, () => listed('id', 'id'))
}

function addLists(add: Add, moderation: Moderation): void {
  const put = async (list: ModerationList, value: string, why: string) => {
    await moderation.put(list, value, why)
    return true
  }
  const remove = async (list: ModerationList, value: string) => {
    await moderation.remove(list, value)
    return true
  }
  const listed = (list: ModerationList, name: string) =>
    moderation.entries(list).map(([value, why]) => ({ [name]: value, reason: why }))
  add('allowpubkey', withReason(hex64), ([pubkey, why]) => put('allowed-pubkey', pubkey, why))
  add('unallowpubkey', withReason(hex64), ([pubkey]) => remove('allowed-pubkey', pubkey))
  add('listallowedpubkeys', none, () => listed('allowed-pubkey', 'pubkey'))
  add('blockip', withReason(address), ([ip, why]) => put('blocked-ip', ip, why))
  add('unblockip', withReason(address), ([ip]) => remove('blocked-ip', ip))
  add('listblockedips', none, () => listed('blocked-ip', 'ip'))
  add('allowkind', one(kind), async ([allowed]) => {
    const wasDenied = await moderation.remove('denied-kind', String(allowed))
    // Where all kinds are taken but some, taking back a refusal must not turn into a list of all that is taken.
    if (wasDenied && moderation.entries('allowed-kind').length === 0) return true
    return put('allowed-kind', String(allowed), '')
  })
  add('disallowkind', one(kind), async ([denied]) => {
    await moderation.remove('allowed-kind', String(denied))
    return put('denied-kind', String(denied), '')
  })
  add('listallowedkinds', none, () => moderation.entries('allowed-kind').map(([value]) => Number(value)))
}

function addInfo(add: Add, moderation: Moderation): void {
  const change = async (field: string, text: string) => {
    await moderation.put('relay-info', field, text)
    return true
  }
  // NIP-11: less than 30 characters.
  add('changerelayname', one(z.string().min(1).max(29)), ([text]) => change('name', text))
  add('changerelaydescription', one(z.string().max(1_000)), ([text]) => change('description', text))
  add('changerelayicon', one(picture), ([text]) => change('icon', text))
}
