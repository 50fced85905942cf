import * as z from 'zod'

export const operationSchema = z.enum(['INSERT', 'UPDATE', 'DELETE'])
/** What happened to a row, as pushes and bundles say it. */
export type Operation = z.infer<typeof operationSchema>

/** As the server stores it (§3.1). */
export const operationCode = { INSERT: 1, UPDATE: 2, DELETE: 3 } as const satisfies Readonly<
  Record<Operation, number>
>
export type OperationCode = (typeof operationCode)[Operation]

export function operationOf(code: OperationCode): Operation {
  return code === operationCode.INSERT ? 'INSERT' : code === operationCode.UPDATE ? 'UPDATE' : 'DELETE'
}
