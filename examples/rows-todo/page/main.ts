import type { Command, Dispute, State, Task } from './messages.ts'

const parameters = new URLSearchParams(location.search)
const device = parameters.get('device') ?? 'phone'
const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' })
const tell = (command: Command) => worker.postMessage(command)
const at = <E extends HTMLElement>(id: string) => document.getElementById(id) as E

at('device').textContent = device
tell({ kind: 'start', device, user: parameters.get('user') ?? 'demo' })

at<HTMLFormElement>('add').addEventListener('submit', (event) => {
  event.preventDefault()
  const input = at<HTMLInputElement>('title')
  if (input.value.trim() !== '') tell({ kind: 'add', title: input.value.trim() })
  input.value = ''
})
at<HTMLInputElement>('offline').addEventListener('change', ({ target }) => {
  tell({ kind: 'offline', offline: (target as HTMLInputElement).checked })
})

let shown = ''
worker.onmessage = ({ data }: MessageEvent<State>) => {
  at('pending').textContent = String(data.pending)
  at('problem').textContent = data.problem ?? ''
  // Drawn anew only when something changed: a person may be typing.
  const next = JSON.stringify([data.tasks, data.disputes])
  if (next === shown) return
  shown = next
  at('tasks').replaceChildren(...data.tasks.map(taskItem))
  at('disputes').replaceChildren(...data.disputes.map(disputeItem))
}

function taskItem(task: Task): HTMLElement {
  const done = element('input', { type: 'checkbox', checked: task.done })
  done.addEventListener('change', () => tell({ kind: 'toggle', id: task.id }))
  const title = element('input', { value: task.title })
  title.addEventListener('change', () => tell({ kind: 'rename', id: task.id, title: title.value }))
  const remove = element('button', { textContent: 'Delete' })
  remove.addEventListener('click', () => tell({ kind: 'remove', id: task.id }))
  return withParts('li', done, title, remove)
}

function disputeItem({ id, mine, theirs }: Dispute): HTMLElement {
  const choice = (keep: 'mine' | 'theirs', task: Task | undefined) => {
    const text = task === undefined ? 'deleted' : `“${task.title}”${task.done ? ', done' : ''}`
    const button = element('button', { textContent: `Keep ${keep}: ${text}`, className: keep })
    button.addEventListener('click', () => tell({ kind: 'decide', id, keep }))
    return button
  }
  return withParts(
    'li',
    element('span', { textContent: 'Changed on two devices. ' }),
    choice('mine', mine),
    choice('theirs', theirs),
  )
}

function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  properties: Partial<HTMLElementTagNameMap[K]>,
): HTMLElementTagNameMap[K] {
  return Object.assign(document.createElement(name), properties)
}

function withParts(name: 'li', ...parts: readonly HTMLElement[]): HTMLElement {
  const item = document.createElement(name)
  item.append(...parts)
  return item
}
