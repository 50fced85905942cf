import type { PublicKey, SyncAttempt, SyncObserver } from '../../planes/documents/index.ts'

/** What the sync of documents did since the process started, for who scrapes it. */
export class SyncTotals implements SyncObserver {
  readonly attempts = { succeeded: 0, failed: 0 }
  readonly entries = { received: 0, sent: 0 }
  /** Both ways, by who asked. */
  readonly bytes = { dialled: 0, answered: 0 }
  answers = 0

  attempted(_peer: PublicKey, { error, received, sent, bytes }: SyncAttempt): void {
    this.attempts[error === undefined ? 'succeeded' : 'failed'] += 1
    this.entries.received += received
    this.entries.sent += sent
    this.bytes.dialled += bytes
  }

  answered(requestBytes: number, answerBytes: number): void {
    this.answers += 1
    this.bytes.answered += requestBytes + answerBytes
  }
}
