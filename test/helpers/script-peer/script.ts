import { type Frame, isEvent, type Output, type PeerConnection, type Personality } from './behaviour.ts'

/** What the events of an answer become: changed, more, fewer, in another order. */
export type Lie = (events: readonly Frame[], connection: PeerConnection) => readonly Output[]

/** What is sent in answer to the frame that was last expected. */
export type Reply = (expected: Frame, connection: PeerConnection) => readonly Output[]

/** One line of a script. */
export type Step =
  | { readonly step: 'expect'; readonly verb: string; readonly where?: (frame: Frame) => boolean }
  | { readonly step: 'send'; readonly outputs: readonly Output[] | Reply }
  | { readonly step: 'answer' }
  | { readonly step: 'delay'; readonly ms: number }
  | { readonly step: 'cut' }
  | { readonly step: 'lie'; readonly how: Lie }

/** Waits for a frame of the client; what does not fit is answered by the rest of the peer, and waited past. */
export const expect = (verb: string, where?: (frame: Frame) => boolean): Step =>
  where === undefined ? { step: 'expect', verb } : { step: 'expect', verb, where }
export const send = (...outputs: readonly Output[]): Step => ({ step: 'send', outputs })
/** Sends what depends on the frame that was last expected. */
export const reply = (outputs: Reply): Step => ({ step: 'send', outputs })
/** Gives the conforming answer to the frame that was last expected. */
export const answer = (): Step => ({ step: 'answer' })
export const delay = (ms: number): Step => ({ step: 'delay', ms })
export const cut = (): Step => ({ step: 'cut' })
/** From here on, answers with events are what `how` makes of them. */
export const lie = (how: Lie): Step => ({ step: 'lie', how })
/** From here on, at most `count` events of an answer are sent, and nothing is said about it. */
export const clamp = (count: number): Step => lie((events) => events.slice(0, count))
/** From here on, oldest first, against NIP-01. */
export const reorder = (): Step => lie((events) => events.toReversed())
/** From here on, every event comes twice. */
export const duplicate = (): Step => lie((events) => events.flatMap((event) => [event, event]))

/** Plays `scripts` one after the other, one per connection; on later ones, and after its end, the peer conforms. */
export function scripted(...scripts: readonly (readonly Step[])[]): Personality {
  return {
    connect: (connection) => {
      const script = scripts[connection.number - 1] ?? []
      const lies: Lie[] = []
      let [at, expected]: [number, Frame] = [0, ['nothing']]
      /** Up to the next frame to wait for. */
      const play = (): readonly Output[] => {
        const outputs: Output[] = []
        for (; at < script.length; at++) {
          const step = script[at] as Step
          if (step.step === 'expect') break
          if (step.step === 'send')
            outputs.push(
              ...(typeof step.outputs === 'function' ? step.outputs(expected, connection) : step.outputs),
            )
          else if (step.step === 'answer') outputs.push(...connection.honest(expected))
          else if (step.step === 'delay') outputs.push({ waitMs: step.ms })
          else if (step.step === 'cut') outputs.push('cut')
          else lies.push(step.how)
        }
        return outputs
      }
      return {
        greet: play,
        answer: (frame) => {
          const step = script[at]
          if (step?.step !== 'expect' || step.verb !== frame[0] || step.where?.(frame) === false)
            return undefined
          expected = frame
          at++
          return play()
        },
        bend: (outputs) =>
          lies.reduce((bent, how) => onEvents(bent, (events) => how(events, connection)), outputs),
      }
    },
  }
}

/** Replaces the events of an answer, which stand together before its end, by what `change` makes of them. */
export function onEvents(
  outputs: readonly Output[],
  change: (events: readonly Frame[]) => readonly Output[],
): readonly Output[] {
  const events = outputs.filter(isEvent)
  if (events.length === 0) return outputs
  const first = outputs.findIndex(isEvent)
  const others = outputs.filter((output) => !isEvent(output))
  return [...others.slice(0, first), ...change(events), ...others.slice(first)]
}
