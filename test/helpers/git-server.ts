import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Why tests that need git are passed over here; false: there is one. */
export const withoutGit: string | false = hasGit()
  ? false
  : 'there is no git with its http-backend on this machine'

function hasGit(): boolean {
  try {
    const programs = execFileSync('git', ['--exec-path'], { encoding: 'utf8' }).trim()
    return existsSync(join(programs, 'git-http-backend'))
  } catch {
    return false
  }
}

const identity = {
  GIT_AUTHOR_NAME: 'a',
  GIT_AUTHOR_EMAIL: 'a@example.org',
  GIT_COMMITTER_NAME: 'a',
  GIT_COMMITTER_EMAIL: 'a@example.org',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
}

/** Runs git in a repository, as somebody with a name; answers what it says. */
export function git(gitDir: string, args: readonly string[], input = ''): string {
  const env = { PATH: process.env.PATH, HOME: '/dev/null', ...identity }
  return execFileSync('git', [`--git-dir=${gitDir}`, ...args], { env, input, encoding: 'utf8' }).trim()
}

/** A repository on disk in which commits are made without a working copy. */
export function sourceRepository(gitDir: string) {
  git(gitDir, ['init', '--quiet', '--bare'])
  git(gitDir, ['config', 'uploadpack.allowAnySHA1InWant', 'true'])
  return {
    gitDir,
    /** A commit with one file of this content, on a branch. */
    commit(branch: string, content: string | Buffer, parent?: string): string {
      const file = join(gitDir, 'next-content')
      writeFileSync(file, content)
      const blob = git(gitDir, ['hash-object', '-w', '--', file])
      const tree = git(gitDir, ['mktree'], `100644 blob ${blob}\tfile\n`)
      const parents = parent === undefined ? [] : ['-p', parent]
      const id = git(gitDir, ['commit-tree', tree, ...parents, '-m', 'change'])
      git(gitDir, ['update-ref', `refs/heads/${branch}`, id])
      return id
    },
  }
}

/** Answers a request in place of git; true: it did. */
export type Interception = (request: IncomingMessage, response: ServerResponse) => boolean

/** A web server that serves every repository below a new folder, by git's own CGI program. */
export async function startGitServer(intercept: Interception = () => false) {
  const root = mkdtempSync(join(tmpdir(), 'syncline-git-'))
  const requests: string[] = []
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`)
    if (!intercept(request, response)) serveGit(root, request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    requests,
    url: (name: string) => `http://127.0.0.1:${port}/${name}.git`,
    repository: (name: string) => sourceRepository(join(root, `${name}.git`)),
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
      rmSync(root, { recursive: true, force: true })
    },
  }
}

function serveGit(root: string, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '/', 'http://localhost')
  const child = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env.PATH,
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: decodeURIComponent(url.pathname),
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers['content-type'],
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'],
      GIT_PROTOCOL: request.headers['git-protocol'] as string | undefined,
      REMOTE_ADDR: '127.0.0.1',
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  request.pipe(child.stdin)
  child.stdin.on('error', () => {})
  response.on('close', () => child.kill())
  let head = Buffer.alloc(0)
  child.stdout.on('data', (chunk: Buffer) => {
    if (response.headersSent) return void response.write(chunk)
    head = Buffer.concat([head, chunk])
    const end = head.indexOf('\r\n\r\n')
    if (end < 0) return
    const fields = head.subarray(0, end).toString('latin1').split('\r\n')
    const pairs = fields.map((field) => field.split(/: ?(.*)/s).slice(0, 2) as [string, string])
    const status = pairs.find(([name]) => name === 'Status')?.[1] ?? '200'
    response.writeHead(Number.parseInt(status, 10), Object.fromEntries(pairs))
    response.write(head.subarray(end + 4))
  })
  child.stdout.on('end', () => response.end())
}
