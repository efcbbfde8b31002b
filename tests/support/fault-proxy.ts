import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { spelling } from './spelling.ts'

/** What is to become of the bytes that were waited for; `reset`: the connection is cut as by a crash, not by an end. */
export type Verdict = 'pass' | 'drop' | 'cut' | 'reset'

/** A moment in the stream of one connection: what was looked for has just come by. */
export type Watch = {
  /** Texts that have to come by on one connection, one after the other; of statements, when they are run. */
  texts: readonly string[]
  /** Who sends them. */
  from: 'client' | 'server'
  /** So many bytes behind the last text: in the middle of what follows it. */
  bytesLater?: number
  /** How many times it comes by before the one that is meant. */
  skip?: number
  /** `before` the bytes are handed on, or `after`, with no answer let through meanwhile. */
  when: 'before' | 'after'
  strike(): Promise<Verdict> | Verdict
}

/** Which way no bytes are passed on: to the server, from it, or both. */
type Way = 'to' | 'from' | 'both'

export type FaultProxy = AsyncDisposable & {
  port: number
  /** The address of the server, by way of this. */
  by(url: string): string
  /**
   * From now on no bytes are passed on, of all connections, those to come too, or (`only: 'present'`) of those that
   * stand now. None is closed: as with a cable that was pulled, or a firewall that has forgotten its connections. What
   * is sent stands in the buffers of who sends it.
   */
  mute(way: Way, only?: 'present'): void
  /** Passes bytes on again, those that have waited first. */
  hear(): void
  /**
   * `hole`: as muted both ways, and no connection outlives it; `refuse`: connections are closed, and none is taken.
   */
  set(mode: 'pass' | 'hole' | 'refuse', latencyMs?: number): void
  /**
   * The connections that stand now go dead, and nobody is told; new ones are sound. The server gives its end up after
   * `serverMs`, as by the TCP keepalive that we ask of it.
   */
  swallow(serverMs: number): void
  /** Waits for the moment; settles when `strike` has, or never. One watch at a time: it takes the place of the last. */
  watch(watch: Watch): Promise<void>
  /** Waits for nothing any more. */
  unwatch(): void
}

type Link = { client: Socket; upstream: Socket; muted: Way | undefined; changed: PromiseWithResolvers<void> }

type State = {
  mode: 'pass' | 'hole' | 'refuse'
  /** Of connections that are to come. */
  muted: Way | undefined
  latencyMs: number
  watch: Watch | undefined
  hit: (done: Promise<void>) => void
}

/** Starts a TCP proxy before the server of an address that can do what networks do. */
export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const { hostname, port: serverPort } = new URL(target)
  const links = new Set<Link>()
  const state: State = { mode: 'pass', muted: undefined, latencyMs: 0, watch: undefined, hit: () => {} }
  const server = createServer({ noDelay: true }, (client) => {
    if (state.mode === 'refuse') return void client.destroy()
    const upstream = connect({ port: Number(serverPort), host: hostname, noDelay: true })
    const link: Link = { client, upstream, muted: state.muted, changed: Promise.withResolvers() }
    links.add(link)
    for (const [one, other] of ends(link)) {
      one.on('error', () => {})
      one.on('close', () => {
        if (client.destroyed && upstream.destroyed) links.delete(link)
        // a link that carries nothing tells of no end either
        if (!link.muted) other.destroy()
      })
    }
    join(link, state)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const mute: FaultProxy['mute'] = (way, only) => {
    if (only !== 'present') state.muted = way
    for (const link of links) setMuted(link, way)
  }
  const hear = () => {
    state.muted = undefined
    for (const link of links) {
      setMuted(link, undefined)
      // the first packet on the way back finds nobody
      if (link.client.destroyed || link.upstream.destroyed) cut(link)
    }
  }
  return {
    port,
    by: (url) => {
      const address = new URL(url)
      address.host = `127.0.0.1:${port}`
      return address.href.replace(/\/$/, url.endsWith('/') ? '/' : '')
    },
    mute,
    hear,
    set: (mode, latencyMs = 0) => {
      const left = state.mode === 'hole' && mode !== 'hole'
      Object.assign(state, { mode, latencyMs })
      if (mode === 'hole') mute('both')
      if (left) hear()
      // what stood in the hole never knew: such a connection is as good as gone, and the other end says so
      if (left || mode === 'refuse') for (const link of links) cut(link)
    },
    swallow: (serverMs) => {
      mute('both', 'present')
      for (const link of links) setTimeout(() => cut(link), serverMs).unref()
    },
    unwatch: () => void (state.watch = undefined),
    watch: (watch) => new Promise((resolve) => Object.assign(state, { watch, hit: resolve })),
    [Symbol.asyncDispose]: async () => {
      server.close()
      state.mode = 'refuse'
      for (const link of links) cut(link)
    },
  }
}

function ends({ client, upstream }: Link): [Socket, Socket][] {
  return [
    [client, upstream],
    [upstream, client],
  ]
}

function setMuted(link: Link, way: Way | undefined): void {
  link.muted = way
  link.changed.resolve()
  link.changed = Promise.withResolvers()
}

/** Waits as long as what this side sends is not passed on. */
async function untilHeard(link: Link, side: Watch['from']): Promise<void> {
  const way = side === 'client' ? 'to' : 'from'
  while (link.muted === 'both' || link.muted === way) await link.changed.promise
}

function cut({ client, upstream }: Link): void {
  client.destroy()
  upstream.destroy()
}

/** Hands bytes on in both directions. `held`: answers wait as long as a verdict is asked for. */
function join(link: Link, state: State): void {
  const { client, upstream } = link
  let held: Promise<unknown> = Promise.resolve()
  const pump = (from: Socket, to: Socket, side: Watch['from']) => {
    const sees = watcher(side)
    let chain: Promise<void> = Promise.resolve()
    from.on('data', (data) => {
      from.pause()
      chain = chain.then(() => hand(data)).then(() => void from.resume())
    })
    async function hand(data: Buffer): Promise<void> {
      if (state.latencyMs) await Bun.sleep(state.latencyMs)
      const { watch, hit } = state
      if (sees(watch, data) && watch) {
        state.watch = undefined
        if (watch.when === 'after') {
          await untilHeard(link, side)
          to.write(data)
        }
        const asked = Promise.resolve(watch.strike())
        if (watch.when === 'after') held = asked
        hit(asked.then(() => {}))
        const verdict = await asked.catch(() => 'cut')
        if (verdict === 'reset') client.resetAndDestroy()
        if (verdict === 'cut' || verdict === 'reset') return cut(link)
        if (verdict === 'drop' || watch.when === 'after') return
      }
      if (side === 'server') await held
      await untilHeard(link, side)
      if (!to.destroyed && !to.write(data))
        await Promise.race([once(to, 'drain'), once(to, 'close')]).catch(() => {})
    }
  }
  pump(client, upstream, 'client')
  pump(upstream, client, 'server')
}

/** Follows the stream of one side of one connection. */
function watcher(side: Watch['from']): (watch: Watch | undefined, data: Buffer) => boolean {
  const spell = spelling()
  let current: Watch | undefined
  let at = 0
  let later = 0
  return (watch, data) => {
    const text = spell(data)
    if (watch !== current) {
      current = watch
      at = later = 0
    }
    if (side !== watch?.from) return false
    let from = 0
    while (at < watch.texts.length) {
      const found = text.indexOf(watch.texts[at] ?? '', from)
      if (found < 0) return false
      from = found + 1
      at++
    }
    later += text.length - from
    if (later < (watch.bytesLater ?? 0)) return false
    if (!watch.skip) return true
    watch.skip--
    at = later = 0
    return false
  }
}
