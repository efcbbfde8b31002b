import { connect } from 'node:net'

/** A request as its bytes go out: nothing of the target or the headers is put right on the way. */
export type Sent = {
  method: string
  target: string
  headers: [name: string, value: string][]
  body: Uint8Array | null
}

export type Received = { status: number; headers: Headers; text: string }

/** Sends a request on a connection of its own, and waits for the answer. @throws Error when there is none in time */
export function exchange(url: string, sent: Sent, timeoutMs: number): Promise<Received> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port) })
    const parts: Buffer[] = []
    const timer = setTimeout(() => socket.destroy(new Error(`no answer in ${timeoutMs} ms`)), timeoutMs)
    socket.once('connect', () => socket.write(bytesOf(sent)))
    socket.on('data', (part) => void parts.push(part))
    socket.on('error', reject)
    socket.on('close', () => {
      clearTimeout(timer)
      try {
        resolve(received(Buffer.concat(parts), sent.method))
      } catch (error) {
        reject(error)
      }
    })
  })
}

function bytesOf({ method, target, headers, body }: Sent): Buffer {
  const length: Sent['headers'] = body ? [['Content-Length', String(body.byteLength)]] : []
  const lines = [['Host', 'localhost'], ['Connection', 'close'], ...length, ...headers].map((one) =>
    one.join(': '),
  )
  const head = [`${method} ${target} HTTP/1.1`, ...lines, '', ''].join('\r\n')
  return Buffer.concat([Buffer.from(head, 'latin1'), body ?? Buffer.alloc(0)])
}

function received(answer: Buffer, method: string): Received {
  // what goes before the answer, for Expect: 100-continue
  const bytes = answer.subarray(
    /^(HTTP\/1\.1 100 [^\r]*\r\n\r\n)*/.exec(answer.toString('latin1'))?.[0].length,
  )
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) throw new Error(`the connection was closed after ${bytes.length} bytes of an answer`)
  const [first = '', ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n')
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(`${first} `)?.[1])
  if (!status) throw new Error(`no answer of HTTP: ${first}`)
  const headers = new Headers(lines.map((line) => [line.replace(/:.*/, ''), line.replace(/^[^:]*: */, '')]))
  const body = bytes.subarray(end + 4)
  // an answer to HEAD has the headers of a body and none, nor the end of one
  const chunked = headers.get('transfer-encoding') === 'chunked' && method !== 'HEAD'
  const whole = chunked ? joined(body) : body
  return { status, headers, text: whole.toString() }
}

/** A body that came in chunks. @throws Error when its end is missing */
function joined(body: Buffer): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; ;) {
    const line = body.indexOf('\r\n', at)
    if (line < 0) throw new Error('the answer broke off between two chunks')
    const size = Number.parseInt(body.subarray(at, line).toString('latin1'), 16)
    if (size === 0) return Buffer.concat(parts)
    parts.push(body.subarray(line + 2, line + 2 + size))
    at = line + 2 + size + 2
  }
}
