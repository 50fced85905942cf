import type { Actor } from '../actor.ts'

/** A Web request has no place for what a middleware found out, and it must not be forgeable by a header. */
const actors = new WeakMap<Request, Actor>()

/** The request, with the actor that the handlers are to act for. */
export function withActor(request: Request, actor: Actor): Request {
  actors.set(request, actor)
  return request
}

/** Undefined if nobody was authenticated. */
export function actorOf(request: Request): Actor | undefined {
  return actors.get(request)
}
