import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** Which way bytes get lost: to the server, from it, or both. */
type Way = 'to' | 'from' | 'both'

export type MuteProxy = AsyncDisposable & {
  port: number
  /** The address with the proxy in the server's place. */
  through(url: string): string
  /**
   * From now on bytes get lost, of all connections, those to come too, or (`only: 'present'`) those that stand now.
   * None is closed: as with a cable that was pulled, or a firewall that has forgotten its connections.
   */
  mute(way: Way, only?: 'present'): void
  /** Passes bytes on again; what was lost stays lost. */
  hear(): void
}

type Pair = { client: Socket; server: Socket; muted: Way | undefined }

/** A TCP proxy to the server of an address that falls silent when it is told to. */
export async function startMuteProxy(target: string): Promise<MuteProxy> {
  const { hostname, port } = new URL(target)
  const pairs = new Set<Pair>()
  let next: Way | undefined
  const proxy = createServer((client) => {
    const pair: Pair = { client, server: connect(Number(port), hostname), muted: next }
    pairs.add(pair)
    pass(client, pair.server, () => pair.muted === undefined || pair.muted === 'from')
    pass(pair.server, client, () => pair.muted === undefined || pair.muted === 'to')
    const end = () => {
      // a connection that is cut off hears of no end either
      if (pair.muted === undefined) for (const one of [pair.client, pair.server]) one.destroy()
    }
    for (const one of [pair.client, pair.server]) one.on('close', end).on('error', () => {})
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  const own = (proxy.address() as AddressInfo).port
  return {
    port: own,
    through: (url) => {
      const through = new URL(url)
      through.host = `127.0.0.1:${own}`
      return through.href
    },
    mute: (way, only) => {
      if (only !== 'present') next = way
      for (const pair of pairs) pair.muted = way
    },
    hear: () => {
      next = undefined
      for (const pair of pairs) pair.muted = undefined
    },
    [Symbol.asyncDispose]: async () => {
      for (const { client, server } of pairs) for (const one of [client, server]) one.destroy()
      await new Promise((resolve) => proxy.close(resolve))
    },
  }
}

function pass(from: Socket, to: Socket, open: () => boolean): void {
  from.on('data', (bytes) => {
    if (open() && !to.destroyed && !to.write(bytes)) {
      from.pause()
      to.once('drain', () => from.resume())
    }
  })
}
