import { hasDocuments } from '../../planes/documents/storage/has-documents.sqlite.ts'
import type { OtherPaths } from '../../planes/events/relay/relay.ts'
import type { DocumentsControl, DocumentsStatus } from './documents-control.ts'
import type { DocumentsDesk } from './documents-desk.ts'
import type { DocumentsOptions, OpenDocuments } from './open-documents.ts'

/** A message of 8 MiB, on a slow line. */
const requestTimeoutMs = 120_000

interface Opened {
  readonly documents: OpenDocuments
  readonly desk: DocumentsDesk
}

/** What a documents peer did and has, for metrics. */
export interface DocumentsCounts {
  readonly status: DocumentsStatus
  readonly totals: OpenDocuments['totals'] | undefined
}

/**
 * The documents of a node: kept in its store, synced with peers where there are some, served where the configuration asks
 * for it. Nothing of it is loaded on a node that has no documents.
 */
export class DocumentsNode implements DocumentsControl, AsyncDisposable {
  readonly #options: DocumentsOptions
  readonly #resources = new AsyncDisposableStack()
  #opened: Promise<Opened> | undefined
  /** Why what is there cannot be opened, on a node that has other things to do. */
  #problem: string | undefined
  #started = false

  constructor(options: DocumentsOptions) {
    this.#options = options
  }

  /**
   * What the public listener answers for documents; undefined where they are not served.
   *
   * @throws SyncError `config/invalid`
   */
  async serve(): Promise<OtherPaths | undefined> {
    if (!this.#options.config.documents.enabled) return undefined
    const { documents } = await this.#open()
    return { handle: (request, response) => documents.door.handle(request, response), requestTimeoutMs }
  }

  /**
   * Lets others connect, once the public listener is there; without `serve` it does nothing.
   *
   * @param url the listener's
   */
  async accept(url: string): Promise<void> {
    if (!this.#options.config.documents.enabled) return
    const { documents } = await this.#open()
    const { publicAddresses } = await import('./public-addresses.ts')
    await documents.accept(publicAddresses(url, this.#options.config.publicUrls))
  }

  /** Begins to keep in step what there is. Never rejects: a node that does not serve documents has other things to do. */
  async start(): Promise<void> {
    this.#started = true
    try {
      if (await this.#isUsed()) await this.#begin((await this.#open()).documents)
    } catch (error) {
      this.#complain(error)
    }
  }

  /** Whether all is well; undefined where there are none and none are served. Never rejects, and costs next to nothing. */
  async health(): Promise<boolean | undefined> {
    try {
      if (!(await this.#isUsed())) return undefined
      await this.#open()
      return this.#problem === undefined
    } catch {
      return false
    }
  }

  /** Undefined where there are none and none are served. Never rejects. */
  async status(): Promise<DocumentsStatus | undefined> {
    return (await this.counts())?.status
  }

  async counts(): Promise<DocumentsCounts | undefined> {
    try {
      if (!(await this.#isUsed())) return undefined
      const { documents, desk } = await this.#open()
      const { documentsReport } = await import('./documents-report.ts')
      const report = await documentsReport(documents, desk)
      const problem = this.#problem ?? null
      return { status: { ...report, healthy: problem === null, problem }, totals: documents.totals }
    } catch (error) {
      return { status: unhealthy(error), totals: undefined }
    }
  }

  /** The databases and their sync themselves, for programs that embed a node. */
  async open(): Promise<Pick<OpenDocuments, 'instance' | 'sync'>> {
    const { documents } = await this.#open()
    return documents
  }

  /** Refuses new requests and ends the sync; commands go on. */
  async drain(): Promise<void> {
    const opened = await this.#opened?.catch(() => undefined)
    await opened?.documents.drain()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened?.catch(() => undefined)
    await this.#resources[Symbol.asyncDispose]()
  }

  readonly create: DocumentsControl['create'] = async (...args) => (await this.#desk()).create(...args)
  readonly list: DocumentsControl['list'] = async () => (await this.#deskIfUsed())?.list() ?? []
  readonly show: DocumentsControl['show'] = async (...args) => (await this.#desk()).show(...args)
  readonly read: DocumentsControl['read'] = async (...args) => (await this.#desk()).read(...args)
  readonly write: DocumentsControl['write'] = async (...args) => (await this.#desk()).write(...args)
  readonly remove: DocumentsControl['remove'] = async (...args) => (await this.#desk()).remove(...args)
  readonly share: DocumentsControl['share'] = async (...args) => (await this.#desk()).share(...args)
  readonly unshare: DocumentsControl['unshare'] = async (...args) => (await this.#desk()).unshare(...args)
  readonly ticket: DocumentsControl['ticket'] = async (...args) => (await this.#desk()).ticket(...args)
  readonly join: DocumentsControl['join'] = async (...args) => (await this.#desk()).join(...args)
  readonly sync: DocumentsControl['sync'] = async (...args) => (await this.#desk()).sync(...args)
  readonly requests: DocumentsControl['requests'] = async (...args) =>
    (await this.#deskIfUsed())?.requests(...args) ?? []
  readonly approve: DocumentsControl['approve'] = async (...args) => (await this.#desk()).approve(...args)
  readonly reject: DocumentsControl['reject'] = async (...args) => (await this.#desk()).reject(...args)
  readonly grant: DocumentsControl['grant'] = async (...args) => (await this.#desk()).grant(...args)
  readonly revoke: DocumentsControl['revoke'] = async (...args) => (await this.#desk()).revoke(...args)
  readonly peers: DocumentsControl['peers'] = async () => (await this.#deskIfUsed())?.peers() ?? []
  readonly removePeer: DocumentsControl['removePeer'] = async (...args) =>
    (await this.#desk()).removePeer(...args)
  readonly history: DocumentsControl['history'] = async (...args) =>
    (await this.#deskIfUsed())?.history(...args) ?? []

  async #desk(): Promise<DocumentsDesk> {
    return (await this.#open()).desk
  }

  /** To ask what there is must not make a key and tables. */
  async #deskIfUsed(): Promise<DocumentsDesk | undefined> {
    return (await this.#isUsed()) ? await this.#desk() : undefined
  }

  async #isUsed(): Promise<boolean> {
    if (this.#opened !== undefined || this.#options.config.documents.enabled) return true
    return hasDocuments(this.#options.store)
  }

  #open(): Promise<Opened> {
    this.#opened ??= this.#load()
    // What could not be opened this time may be openable the next.
    this.#opened.catch(() => {
      this.#opened = undefined
    })
    return this.#opened
  }

  async #load(): Promise<Opened> {
    const { OpenDocuments } = await import('./open-documents.ts')
    const { DocumentsDesk } = await import('./documents-desk.ts')
    const documents = this.#resources.use(await OpenDocuments.open(this.#options))
    // The first database may be made, or joined, while the node runs.
    if (this.#started) await this.#begin(documents)
    return { documents, desk: new DocumentsDesk(documents) }
  }

  async #begin(documents: OpenDocuments): Promise<void> {
    try {
      await documents.sync.start()
      this.#problem = undefined
    } catch (error) {
      this.#complain(error)
    }
  }

  #complain(error: unknown): void {
    this.#problem = error instanceof Error ? error.message : String(error)
    this.#options.log.error('documents are not kept in step', { error: this.#problem })
  }
}

function unhealthy(error: unknown): DocumentsStatus {
  const problem = error instanceof Error ? error.message : String(error)
  return {
    healthy: false,
    problem,
    device: null,
    addresses: [],
    databases: { total: 0, shared: 0, awaited: 0 },
    entries: { verified: 0, unverified: 0, failed: 0 },
    peers: 0,
    links: { total: 0, in_step: 0, failing: 0 },
    pending_requests: 0,
    last_failure: null,
    next_attempt_at: null,
  }
}
