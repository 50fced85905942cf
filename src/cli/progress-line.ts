import type { Progress, Proof } from '../kernel/progress.ts'

const width = 24

/** One line that says what is going on; a bar only where the whole is known, never an invented percentage. */
export function progressLine(label: string, { phase, done, remaining }: Progress): string {
  if (phase === 'transferring' && remaining !== undefined) {
    const total = done + remaining
    const filled = total === 0 ? width : Math.round((done / total) * width)
    return `${label}  ${'█'.repeat(filled)}${'░'.repeat(width - filled)} ${number(done)} of ${number(total)} events`
  }
  return `${label}  ${phase}… ${number(done)} events`
}

/** What both sides hold, in words. */
export function proofLine({ local, remote, equal }: Proof): string {
  const here = `${number(local.count)} events here`
  if (equal === true) return `In step: ${here} and there, fingerprint ${local.fingerprint}.`
  if (remote.count !== undefined) return `${here}, ${number(remote.count)} there.`
  return equal === false
    ? `${here}; the other side holds another set.`
    : `${here}; the other side cannot tell.`
}

export const number = (value: number): string => value.toLocaleString('en-US')
