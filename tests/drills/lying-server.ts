import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'

/** What is served for one address: its bytes, as many others that are a file too, and how often it was asked for. */
type Served = { content: Uint8Array; other: Uint8Array; asked: number }
type Range = { start: number; end: number }
type Request = { served: Served; range: Range; response: ServerResponse }

/**
 * One way to lie. `truth`: whoever is careful reads the file all the same; `perhaps`: the bytes are right, and it
 * depends on who asks first whether they are taken.
 */
export type Lie = { truth?: boolean | 'perhaps'; answer(request: Request): void }

const DATES = ['Thu, 01 Jan 2026 00:00:00 GMT', 'Thu, 01 Jan 2026 00:00:01 GMT']

/** Every lie, by its name. */
export const LIES: Record<string, Lie> = {
  honest: { truth: true, answer: (request) => part(request) },
  'ranges that are shorter than asked for': {
    truth: true,
    answer: ({ served, range: { start, end }, response }) => {
      const shorter = served.asked === 1 ? end : Math.min(end, start + 300_000)
      part({ served, response, range: { start, end: shorter } })
    },
  },
  'a connection that breaks once': {
    truth: true,
    answer: (request) => (request.served.asked === 2 ? cut(request) : part(request)),
  },
  'each range is cut off': { answer: (request) => cut(request) },
  'each range ends early, and tidily': {
    answer: (request) => part(request, { bytes: 'half', chunked: true }),
  },
  'a length above the bytes': {
    answer: (request) => part(request, { headers: { 'Content-Length': length(request.range) + 10 } }),
  },
  'a length below the bytes': {
    answer: (request) => part(request, { headers: { 'Content-Length': length(request.range) - 10 } }),
  },
  'more bytes than the range has': {
    answer: (request) => part(request, { bytes: 'twice', chunked: true }),
  },
  'another length of the file each time': {
    answer: (request) => {
      const { served, range } = request
      const total = served.content.length + served.asked
      part(request, { headers: { 'Content-Range': `bytes ${range.start}-${range.end - 1}/${total}` } })
    },
  },
  'a Content-Range that is shifted': {
    answer: (request) => {
      const { start, end } = request.range
      const shifted = `bytes ${start - 1}-${end - 2}/${request.served.content.length}`
      part(request, { headers: request.served.asked > 1 ? { 'Content-Range': shifted } : {} })
    },
  },
  'other bytes under the right headers': { answer: (request) => part(request, { bytes: 'other' }) },
  'replaced, with another ETag': {
    answer: (request) =>
      request.served.asked > 2
        ? part(request, { bytes: 'other', headers: { ETag: '"two"' } })
        : part(request),
  },
  'replaced, without an ETag, later': {
    answer: (request) => {
      const later = request.served.asked > 2
      const headers = { ETag: '', 'Last-Modified': DATES[later ? 1 : 0] }
      part(request, later ? { bytes: 'other', headers } : { headers })
    },
  },
  'replaced, and 412': {
    answer: (request) =>
      request.served.asked > 2 ? void request.response.writeHead(412).end() : part(request),
  },
  'all of the file for each range': {
    truth: 'perhaps',
    answer: ({ served, range, response }) => {
      if (served.asked === 1) return part({ served, range, response })
      response.writeHead(200, { ETag: '"one"', 'Content-Length': served.content.length }).end(served.content)
    },
  },
  'no Content-Range': {
    answer: ({ served, range, response }) => {
      if (served.asked === 1) return part({ served, range, response })
      response.writeHead(206, { ETag: '"one"' }).end(served.content.subarray(range.start, range.end))
    },
  },
  'ranges of a packed file': {
    answer: ({ served, range, response }) => {
      const packed = { ...served, content: gzipSync(served.content) }
      const end = Math.min(range.end, packed.content.length)
      const start = Math.min(range.start, end - 1)
      part({ served: packed, range: { start, end }, response }, { headers: { 'Content-Encoding': 'gzip' } })
    },
  },
  'a drip': {
    answer: ({ served, range, response }) => {
      if (served.asked === 1) return part({ served, range, response })
      response.writeHead(206, headersOf(served, range))
      const timer = setInterval(() => response.write('x'), 50)
      response.on('close', () => clearInterval(timer))
    },
  },
  'a page of HTML': {
    answer: ({ response }) => response.writeHead(200, { 'Content-Length': 13 }).end('<html></html>'),
  },
  'no end': {
    answer: ({ response }) => {
      response.writeHead(200)
      const timer = setInterval(() => response.write(Buffer.alloc(1000)), 20)
      response.on('close', () => clearInterval(timer))
    },
  },
}

/** Serves what was put under a path, in the way that the first part of the path names by its number among the lies. */
export async function startLyingServer() {
  const files = new Map<string, Served>()
  const lies = Object.values(LIES)
  const server = createServer((request, response) => {
    const served = files.get(request.url ?? '')
    if (!served) return void response.writeHead(404).end()
    served.asked++
    const lie = lies[Number(request.url?.split('/')[1])]
    lie?.answer({ served, range: rangeOf(request, served.content.length), response })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    origin,
    /** Gives the address of the content, told by that lie. */
    put: (lie: string, name: string, content: Uint8Array, other = content): string => {
      const path = `/${Object.keys(LIES).indexOf(lie)}/${name}`
      files.set(path, { content, other, asked: 0 })
      return `${origin}${path}`
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}

type Bent = { bytes?: 'other' | 'twice' | 'half'; headers?: OutgoingHttpHeaders; chunked?: boolean }

function part({ served, range, response }: Request, { bytes, headers, chunked }: Bent = {}): void {
  const said: OutgoingHttpHeaders = { ...headersOf(served, range), ...headers }
  if (chunked) delete said['Content-Length']
  response.writeHead(206, said)
  const end = bytes === 'half' ? range.start + Math.floor(length(range) / 2) : range.end
  const body = (bytes === 'other' ? served.other : served.content).subarray(range.start, end)
  response.end(bytes === 'twice' ? Buffer.concat([body, body]) : body)
}

function cut({ served, range, response }: Request): void {
  response.writeHead(206, headersOf(served, range))
  const half = range.start + Math.floor(length(range) / 2)
  response.write(served.content.subarray(range.start, half), () => response.destroy())
}

function headersOf({ content }: Served, { start, end }: Range) {
  return {
    ETag: '"one"',
    'Content-Range': `bytes ${start}-${end - 1}/${content.length}`,
    'Content-Length': end - start,
  }
}

function length({ start, end }: Range): number {
  return end - start
}

function rangeOf({ headers }: IncomingMessage, bytes: number): Range {
  const [, start = '', end = ''] = /^bytes=(\d*)-(\d*)$/.exec(headers.range ?? '') ?? []
  if (start === '') return { start: Math.max(0, bytes - Number(end || bytes)), end: bytes }
  return { start: Number(start), end: Math.min(bytes, Number(end) + 1) }
}
