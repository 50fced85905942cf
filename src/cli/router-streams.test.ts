import assert from 'node:assert/strict'
import { it } from 'node:test'
import { SyncError } from '../kernel/sync-error.ts'
import { parseConfigText } from './config-text.ts'
import { routerRelays } from './router-streams.ts'

const read = (text: string) => routerRelays(parseConfigText(text))

it('takes over streams in every way they are written, and joins what they say about one relay', () => {
  const text = `
    connectionTimeout = 20 ## seconds
    streams {
      friends {
        dir = "both"
        filter = { "kinds": [0, 3], "authors": ["${'ab'.repeat(32)}"] }
        urls = [
          "wss://One.example"   # no comma
          "wss://two.example/path",
        ]
      }
      "more" { dir = "both" urls = ["wss://one.example:443/"] filter = "{\\"kinds\\":[1]}" }
      all { dir = "down" urls = ["ws://three.example"] }
    }`
  const friends = { kinds: [0, 3], authors: ['ab'.repeat(32)] }
  assert.deepEqual(read(text), [
    { url: 'wss://one.example/', direction: 'both', filters: [friends, { kinds: [1] }] },
    { url: 'wss://two.example/path', direction: 'both', filters: [friends] },
    { url: 'ws://three.example/', direction: 'down', filters: [{}] },
  ])
})

const stream = (body: string) => `streams { s1 { ${body} } }`
const urls = 'urls = ["wss://a.example"]'
const refused: [string, RegExp][] = [
  ['', /no block "streams"/],
  ['streams { }', /no block "streams"/],
  ['streams { s1 = 5 }', /stream "s1": it is no block/],
  [stream(urls), /stream "s1": dir must be/],
  [stream(`dir = "sideways" ${urls}`), /stream "s1": dir must be/],
  [stream('dir = "up"'), /stream "s1": urls must be a list/],
  [stream('dir = "up" urls = []'), /stream "s1": urls must be a list/],
  [stream('dir = "up" urls = [1]'), /stream "s1": urls must be a list of quoted/],
  [stream('dir = "up" urls = ["http://a.example"]'), /stream "s1": .*must start with ws/],
  [stream(`dir = "up" ${urls} filter = { "kinds": "1" }`), /stream "s1": filter: /],
  [stream(`dir = "up" ${urls} filter = "{"`), /stream "s1": filter: the text is not JSON/],
  [stream(`dir = "up" ${urls} pluginUp = "/bin/x"`), /stream "s1": pluginUp is not supported/],
  [stream(`dir = "up" ${urls} pluginDown = "/bin/x"`), /stream "s1": pluginDown is not supported/],
  [stream(`dir = "up" ${urls} dirr = "up"`), /stream "s1": "dirr" is not known/],
  [
    `streams { s1 { dir = "up" ${urls} } s2 { dir = "down" ${urls} } }`,
    /stream "s2": wss:\/\/a.example\/ has dir "down" here and "up" in stream "s1"/,
  ],
]
for (const [text, message] of refused) {
  it(`refuses what it cannot take over: ${text}`, () => {
    assert.throws(
      () => read(text),
      (error) => error instanceof SyncError && error.code === 'config/invalid' && message.test(error.message),
    )
  })
}
