export type Deferred<T> = PromiseWithResolvers<T>

/** A deferred that may fail before anybody waits for it: the failure is still there for whoever comes, and no process dies of it. */
export function handled<T>(): Deferred<T> {
  const deferred = Promise.withResolvers<T>()
  deferred.promise.catch(() => {})
  return deferred
}
