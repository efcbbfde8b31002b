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

export type FaultProxy = AsyncDisposable & {
  port: number
  /** The address of the server, by way of this. */
  by(url: string): string
  /** `hole`: nothing comes through, and nobody is told; `refuse`: connections are closed, and none is taken. */
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

type Link = { client: Socket; upstream: Socket; dead: boolean }

type State = {
  mode: 'pass' | 'hole' | 'refuse'
  latencyMs: number
  watch: Watch | undefined
  hit: (done: Promise<void>) => void
}

/** Starts a TCP proxy before a server of 127.0.0.1 that can do what networks do. */
export async function startFaultProxy(target: number): Promise<FaultProxy> {
  const links = new Set<Link>()
  const state: State = { mode: 'pass', latencyMs: 0, watch: undefined, hit: () => {} }
  const server = createServer({ noDelay: true }, (client) => {
    if (state.mode === 'refuse') return void client.destroy()
    const upstream = connect({ port: target, host: '127.0.0.1', noDelay: true })
    const link: Link = { client, upstream, dead: false }
    links.add(link)
    for (const [one, other] of ends(link)) {
      one.on('error', () => {})
      one.on('close', () => {
        if (client.destroyed && upstream.destroyed) links.delete(link)
        // what goes into a hole is not told of either
        if (state.mode !== 'hole' && !link.dead) other.destroy()
      })
    }
    join(link, state)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    by: (url) => {
      const address = new URL(url)
      address.port = String(port)
      return address.href.replace(/\/$/, url.endsWith('/') ? '/' : '')
    },
    set: (mode, latencyMs = 0) => {
      // what stood in the hole never knew: such a connection is as good as gone, and the other end says so
      const cuts = mode === 'refuse' || (mode === 'pass' && state.mode === 'hole')
      Object.assign(state, { mode, latencyMs })
      if (cuts) for (const link of links) cut(link)
    },
    swallow: (serverMs) => {
      for (const link of links) {
        link.dead = true
        setTimeout(() => cut(link), serverMs).unref()
      }
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
        if (watch.when === 'after') write(link, to, { data, state })
        const asked = Promise.resolve(watch.strike())
        if (watch.when === 'after') held = asked
        hit(asked.then(() => {}))
        const verdict = await asked.catch(() => 'cut')
        if (verdict === 'reset') client.resetAndDestroy()
        if (verdict === 'cut' || verdict === 'reset') return cut(link)
        if (verdict === 'drop' || watch.when === 'after') return
      }
      if (side === 'server') await held
      if (!write(link, to, { data, state }))
        await Promise.race([once(to, 'drain'), once(to, 'close')]).catch(() => {})
    }
  }
  pump(client, upstream, 'client')
  pump(upstream, client, 'server')
}

function write({ dead }: Link, to: Socket, { data, state }: { data: Buffer; state: State }): boolean {
  if (state.mode === 'hole' || dead || to.destroyed) return true
  return to.write(data)
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
