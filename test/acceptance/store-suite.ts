import { describe } from 'node:test'
import { leaseTests } from './store-lease-tests.ts'
import { migrationTests } from './store-migration-tests.ts'
import { outboxTests } from './store-outbox-tests.ts'
import { recordTests } from './store-record-tests.ts'
import type { StoreSetup } from './store-setup.ts'
import { transactionTests } from './store-transaction-tests.ts'

/** What every store promises (src/kernel/store.ts), run against one engine. */
export function storeSuite<Tx>(name: string, setup: StoreSetup<Tx>): void {
  describe(`store on ${name}: transactions`, () => transactionTests(setup))
  describe(`store on ${name}: migrations`, () => migrationTests(setup))
  describe(`store on ${name}: peers and links`, () => recordTests(setup))
  describe(`store on ${name}: leases`, () => leaseTests(setup))
  describe(`store on ${name}: outbox`, () => outboxTests(setup))
}
