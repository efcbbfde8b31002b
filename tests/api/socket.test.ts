import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { connect, type Socket } from 'node:net'
import { type Api, BODY_BYTES, BODY_MS, startApi } from './api.ts'

const NO_JOB = '019ab1c2-7d3e-7a41-9c55-0f6e2d8b4a10'
const BODY = '{"url":"s3://arquivos/coisas/a.parquet"}'

let api: Api
let port: number
beforeAll(async () => {
  api = await startApi()
  api.app.listen({ hostname: '127.0.0.1', port: 0 })
  port = api.app.server?.port ?? 0
})
beforeEach(() => api.reset())
afterAll(() => api[Symbol.asyncDispose]())

describe('over a socket', () => {
  test('a body is refused by its announced length, before a byte of it was sent', async () => {
    await using line = await openLine(port)
    line.send(head('PUT', '/coisas/_bulk', `Content-Length: ${200 * 2 ** 30}`))
    const answer = await line.answer()
    expect(answer).toMatchObject({ status: 413, body: { code: 'body_too_large' } })
    expect(answer.body.detail).toContain(`found ${200 * 2 ** 30} bytes`)
  })

  test('a body of no announced length is refused once it is too long, though it goes on', async () => {
    await using line = await openLine(port)
    line.send(head('PUT', '/coisas/_bulk', 'Transfer-Encoding: chunked'))
    const part = `${(16 * 1024).toString(16)}\r\n${' '.repeat(16 * 1024)}\r\n`
    for (let sent = 0; sent <= BODY_BYTES; sent += 16 * 1024) line.send(part)
    expect(await line.answer()).toMatchObject({ status: 413, body: { code: 'body_too_large' } })
  })

  test('a body that comes in pieces is accepted, while others are served', async () => {
    await using slow = await openLine(port)
    slow.send(head('PUT', '/coisas/_bulk', `Content-Length: ${BODY.length}`) + BODY.slice(0, 7))
    expect((await fetch(`http://127.0.0.1:${port}/livez`)).status).toBe(200)
    slow.send(BODY.slice(7, 20))
    expect((await fetch(`http://127.0.0.1:${port}/figuras`)).status).toBe(200)
    slow.send(BODY.slice(20))
    expect(await slow.answer()).toMatchObject({ status: 202, body: { status: 'enfileirado' } })
  })

  test('a body without a length comes in pieces too', async () => {
    await using line = await openLine(port)
    const [one, two] = [BODY.slice(0, 7), BODY.slice(7)]
    line.send(head('PUT', '/coisas/_bulk', 'Transfer-Encoding: chunked'))
    line.send(`${one.length.toString(16)}\r\n${one}\r\n`)
    expect((await fetch(`http://127.0.0.1:${port}/livez`)).status).toBe(200)
    line.send(`${two.length.toString(16)}\r\n${two}\r\n0\r\n\r\n`)
    expect(await line.answer()).toMatchObject({ status: 202 })
  })

  test('a body that drips is refused when its time is over, and its connection is closed', async () => {
    for (const kind of [`Content-Length: ${BODY.length}`, 'Transfer-Encoding: chunked']) {
      await using line = await openLine(port)
      line.send(head('PUT', '/coisas/_bulk', kind))
      const since = performance.now()
      const drip = setInterval(() => line.send(kind.startsWith('C') ? '{' : '1\r\n{\r\n'), BODY_MS / 20)
      expect(await line.answer()).toMatchObject({ status: 408, body: { code: 'body_slow' } })
      await line.closed
      clearInterval(drip)
      expect(performance.now() - since).toBeWithin(BODY_MS * 0.9, BODY_MS * 3)
    }
    expect(await api.sql`select count(*) from bulk.job`).toMatchObject([{ count: 0 }])
  })

  test('a head that drips, or never comes, is cut off, while others are served', async () => {
    await using drips = await openLine(port)
    await using silent = await openLine(port)
    await using half = await openLine(port)
    drips.send('GET /livez HTTP/1.1\r\nX-Slow: ')
    half.send('GET /livez HTTP/1.1\r\n')
    const since = performance.now()
    const drip = setInterval(() => drips.send('a'), 500)
    await Promise.all([drips.closed, silent.closed, half.closed])
    clearInterval(drip)
    // Bun gives a head 10 to 14 s, whatever of it has come
    expect(performance.now() - since).toBeLessThan(20_000)
    expect((await fetch(`http://127.0.0.1:${port}/livez`)).status).toBe(200)
  }, 30_000)

  test('a head of 60 kB is refused', async () => {
    await using line = await openLine(port)
    line.send(`GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Long: ${'a'.repeat(60_000)}\r\n\r\n`)
    await line.closed
  })

  test('a caller who hangs up in the middle of a body leaves no job and no harm', async () => {
    const line = await openLine(port)
    line.send(head('PUT', '/coisas/_bulk', `Content-Length: ${BODY.length}`) + BODY.slice(0, 7))
    await line[Symbol.asyncDispose]()
    expect((await fetch(`http://127.0.0.1:${port}/coisas/_bulk`)).status).toBe(200)
    expect(await api.sql`select count(*) from bulk.job`).toMatchObject([{ count: 0 }])
    expect(api.lines.filter(({ level }) => level === 'error')).toEqual([])
  })

  test('one connection carries many requests, errors among them', async () => {
    await using line = await openLine(port)
    const statuses: number[] = []
    for (const request of [
      head('GET', '/livez'),
      head('PUT', '/coisas/_bulk', `Content-Length: ${BODY.length}`) + BODY,
      head('PUT', '/coisas/_bulk', 'Content-Length: 1') + '{',
      head('GET', `/coisas/_bulk/status/${NO_JOB}`),
      head('POST', '/coisas/_bulk', 'Content-Length: 2') + '{}',
      head('GET', '/nada'),
      head('GET', '/coisas/_bulk'),
    ]) {
      line.send(request)
      statuses.push((await line.answer()).status)
    }
    expect(statuses).toEqual([200, 202, 400, 404, 405, 404, 200])
  })

  test('an address that cannot be decoded is not found', async () => {
    for (const path of [`/%zz/_bulk/status/${NO_JOB}`, '/coisas/_bulk/status/%zz', '/%00/_bulk', '/%zz']) {
      const response = await fetch(`http://127.0.0.1:${port}${path}`)
      expect([path, response.status]).toEqual([path, 404])
      expect(response.headers.get('content-type')).toBe('application/problem+json')
    }
  })

  test('whatever host a request names, it is answered by its path', async () => {
    for (const host of ['api', 'x', '[', 'a b', '%zz', "x'y", 'a@b', '']) {
      for (const [path, status] of [
        ['/figuras/coisas', 200],
        ['/figuras', 200],
        ['/nada', 404],
        ['/coisas/_bulk?limit=x', 422],
      ] as const) {
        await using line = await openLine(port)
        line.send(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
        const answer = await line.answer()
        expect([host, path, answer.status]).toEqual([host, path, status])
        if (status !== 200) expect(answer.body.instance).toBe(path.replace(/[?].*/, ''))
      }
    }
  })

  test('every address answers as it does in process', async () => {
    const id = await api.send('coisas')
    await api.sql`update bulk.job set status = 'cancelado', finished_at = created_at`
    const paths = `
      /figuras /figuras/ /figuras/coisas /figuras/nada /figuras/_bulk /problems/internal /docs /docs/ /docs/json
      /coisas/_bulk /coisas/_bulk?limit=x /coisas/_bulk/status/${id} /coisas/_bulk/${id}/log
      /livez /readyz /nada /docs/_bulk`
    for (const path of paths.trim().split(/\s+/)) {
      const here = await api.ask(path)
      const there = await fetch(`http://127.0.0.1:${port}${path}`)
      const text = (await there.text()).replaceAll(`127.0.0.1:${port}`, 'localhost')
      expect([path, there.status, text]).toEqual([path, here.status, here.text])
    }
  })
})

type Line = AsyncDisposable & {
  send(text: string): void
  /** The next answer, which has a length. */
  answer(): Promise<{ status: number; body: Record<string, unknown> }>
  /** Resolves when the other side has ended it. */
  closed: Promise<void>
}

function head(method: string, path: string, ...headers: string[]): string {
  return [`${method} ${path} HTTP/1.1`, 'Host: localhost', ...headers, '', ''].join('\r\n')
}

/** A connection on which bytes are sent as they are. */
async function openLine(to: number): Promise<Line> {
  const socket: Socket = connect({ host: '127.0.0.1', port: to })
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  let received = ''
  let wake = () => {}
  const more = (text: string) => {
    received += text
    wake()
  }
  socket.setEncoding('latin1').on('data', more)
  socket.on('error', () => {})
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  return {
    closed,
    send: (text) => void socket.write(text, 'latin1'),
    answer: async () => {
      for (;;) {
        const match = /^HTTP\/1\.1 (\d+)[^]*?\r\ncontent-length: (\d+)[^]*?\r\n\r\n/i.exec(received)
        const end = match ? match[0].length + Number(match[2]) : Infinity
        if (match && received.length >= end) {
          const text = received.slice(match[0].length, end)
          received = received.slice(end)
          return { status: Number(match[1]), body: JSON.parse(text) }
        }
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
    [Symbol.asyncDispose]: async () => {
      socket.destroy()
      await closed
    },
  }
}
