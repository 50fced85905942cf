export type { Key } from './key.ts'
export type { ReconcileStep } from './reconcile-step.ts'
