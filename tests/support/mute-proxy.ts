import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** Which way no bytes are passed on: to the server, from it, or both. */
type Way = 'to' | 'from' | 'both'

export type MuteProxy = AsyncDisposable & {
  port: number
  /** The address with the proxy in the server's place. */
  through(url: string): string
  /**
   * From now on no bytes are passed on, of all connections, those to come too, or (`only: 'present'`) of those that
   * stand now. None is closed: as with a cable that was pulled, or a firewall that has forgotten its connections.
   */
  mute(way: Way, only?: 'present'): void
  /** Passes bytes on again. */
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
    pass(client, pair.server, pair)
    pass(pair.server, client, pair)
    // a link that is cut hears of no end either
    const end = () => pair.muted ?? close(pair)
    for (const one of ends(pair)) one.on('close', end).on('error', () => {})
    flow(pair)
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
      for (const pair of pairs) flow(Object.assign(pair, { muted: way }))
    },
    hear: () => {
      next = undefined
      for (const pair of pairs) {
        flow(Object.assign(pair, { muted: undefined }))
        // the first packet on the way back finds nobody
        if (ends(pair).some((one) => one.destroyed)) close(pair)
      }
    },
    [Symbol.asyncDispose]: async () => {
      for (const pair of pairs) close(pair)
      await new Promise((resolve) => proxy.close(resolve))
    },
  }
}

function ends({ client, server }: Pair): Socket[] {
  return [client, server]
}

function close(pair: Pair): void {
  for (const one of ends(pair)) one.destroy()
}

/** Takes bytes from the ends that are to be heard, and from no other: what they send then stands in their buffers. */
function flow({ client, server, muted }: Pair): void {
  for (const [one, way] of [
    [client, 'to'],
    [server, 'from'],
  ] as const) {
    if (muted === way || muted === 'both') one.pause()
    else one.resume()
  }
}

function pass(from: Socket, to: Socket, pair: Pair): void {
  from.on('data', (bytes) => {
    if (to.destroyed || to.write(bytes)) return
    from.pause()
    to.once('drain', () => flow(pair))
  })
}
