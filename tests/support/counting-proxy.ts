import { createServer, request, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Counted = {
  method: string
  path: string
  range: string | undefined
  status: number
  bytes: number
}

/** A proxy in front of the bucket that counts: what was asked for, and how many bytes of body came. */
export async function startCountingProxy(
  target: string,
): Promise<{ url: string; seen: Counted[]; stop(): Promise<void> }> {
  const seen: Counted[] = []
  const server = createServer((incoming, outgoing) => {
    const { method = 'GET', url = '/', headers } = incoming
    const forward = request(new URL(url, target), { method, headers }, (answer: IncomingMessage) => {
      const counted = { method, path: url, range: headers.range, status: answer.statusCode ?? 0, bytes: 0 }
      seen.push(counted)
      answer.on('data', (data: Buffer) => (counted.bytes += data.length))
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(outgoing)
    })
    forward.on('error', () => outgoing.destroy())
    incoming.pipe(forward)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    stop: () => new Promise((resolve) => (server.closeAllConnections(), server.close(() => resolve()))),
  }
}
