import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'

/** Listeners on this machine's loopback addresses that nobody has any business with. */
export type Canary = AsyncDisposable & { port: number; hits(): number }

/** Listens on a port of its own, over IPv4 and IPv6, and on the usual ports of the web where they are free to take. */
export async function startCanary(): Promise<Canary> {
  let hits = 0
  const servers: Server[] = []
  const visitors = new Set<Socket>()
  const listen = async (port: number, host: string): Promise<number | undefined> => {
    const server = createServer((socket) => {
      hits++
      visitors.add(socket)
      socket.on('error', () => {}).on('close', () => visitors.delete(socket))
      socket.resume()
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nid\n1\n')
    })
    const listening = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false)).listen(port, host, () => resolve(true))
    })
    if (!listening) return undefined
    servers.push(server)
    return (server.address() as AddressInfo).port
  }
  const port = (await listen(0, '127.0.0.1')) ?? 0
  for (const host of ['127.0.0.1', '::1']) for (const usual of [80, 443]) await listen(usual, host)
  await listen(port, '::1')
  return {
    port,
    hits: () => hits,
    [Symbol.asyncDispose]: async () => {
      // a visitor who never leaves would keep the drill from telling of it
      for (const visitor of visitors) visitor.destroy()
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
    },
  }
}
