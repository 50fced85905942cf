import assert from 'node:assert/strict'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { describe, it } from 'node:test'
import { chromium, type Page } from 'playwright-core'
import { serveTodo } from '../../examples/rows-todo/serve.ts'
import { postgresServer } from '../helpers/postgres-server.ts'

const postgres = postgresServer()
const browserPath = process.env.SYNCLINE_TEST_CHROMIUM ?? onPath('chromium') ?? onPath('google-chrome')

describe('the to-do example in Chromium', {
  skip: browserPath === undefined && 'no Chromium on this machine',
}, () => {
  it('two tabs edit offline, converge, and show their conflict; a reload finds everything', async () => {
    await using database = await postgres.database()
    await using server = await serveTodo(database.url)
    const browser = await chromium.launch({
      executablePath: browserPath!,
      args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
    })
    try {
      // Tabs of one browser: they share the origin, and each has its own database in it.
      const context = await browser.newContext()
      const open = async (device: string) => {
        const page = await context.newPage()
        page.setDefaultTimeout(60_000)
        await page.goto(`${server.url}/?device=${device}`)
        return page
      }
      const [phone, tablet] = [await open('phone'), await open('tablet')]
      await add(phone, 'Buy milk')
      await add(phone, 'Call Ada')
      await shows(tablet, ['Buy milk', 'Call Ada'])

      for (const page of [phone, tablet]) await page.check('#offline')
      await rename(phone, 0, 'Buy oat milk')
      await rename(tablet, 0, 'Buy two bottles of milk')
      await add(tablet, 'Only here')
      await phone.locator('#tasks li:nth-child(2) button').click()
      await shows(phone, ['Buy oat milk'])
      await shows(tablet, ['Buy two bottles of milk', 'Call Ada', 'Only here'])

      await phone.uncheck('#offline')
      await settled(phone)
      await tablet.uncheck('#offline')
      const dispute = tablet.locator('#disputes li')
      await dispute.waitFor()
      assert.match(await dispute.innerText(), /Keep mine: “Buy two bottles of milk”/)
      assert.match(await dispute.innerText(), /Keep theirs: “Buy oat milk”/)
      await dispute.locator('button.mine').click()
      for (const page of [phone, tablet]) await shows(page, ['Buy two bottles of milk', 'Only here'])
      await settled(tablet)

      await phone.close()
      await shows(await open('phone'), ['Buy two bottles of milk', 'Only here'])
      const { rows } = await database.pool.query('select title from todo.tasks order by created_at')
      assert.deepEqual(
        rows.map(({ title }) => title),
        ['Buy two bottles of milk', 'Only here'],
      )
    } finally {
      await browser.close()
    }
  })
})

/** What the page evaluates: the titles it shows. */
const shown = `[...document.querySelectorAll('#tasks li input:nth-child(2)')].map((input) => input.value)`

async function add(page: Page, title: string): Promise<void> {
  await page.fill('#title', title)
  await page.press('#title', 'Enter')
  await page.waitForFunction(`${shown}.includes(${JSON.stringify(title)})`)
}

async function rename(page: Page, index: number, title: string): Promise<void> {
  const input = page.locator(`#tasks li:nth-child(${index + 1}) input:nth-child(2)`)
  await input.fill(title)
  await input.blur()
}

async function shows(page: Page, titles: readonly string[]): Promise<void> {
  await page.waitForFunction(`JSON.stringify(${shown}) === ${JSON.stringify(JSON.stringify(titles))}`)
}

async function settled(page: Page): Promise<void> {
  await page.waitForFunction(`document.querySelector('#pending').textContent === '0'`)
}

function onPath(name: string): string | undefined {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    try {
      accessSync(join(folder, name), constants.X_OK)
      return join(folder, name)
    } catch {
      // Not in this one.
    }
  }
  return undefined
}
