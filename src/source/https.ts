import http from 'node:http'
import https from 'node:https'
import type { Address } from '../address.ts'
import { type Answer, type Ask, rangeHeader, readHeaders, type Transport } from './answer.ts'
import { checkedLookup, type Resolve } from './network.ts'
import type { Patience } from './patience.ts'

/**
 * Fetches from a web server: plain GETs, to checked addresses only, along no redirect and through no proxy.
 * HEAD is never sent: a presigned URL is signed for GET, and answers 403 to anything else.
 */
export function webTransport(address: Address, options: Options & { name: string }): Transport {
  return { name: options.name, get: (ask) => get(address, ask, options) }
}

/**
 * Connections are kept for the next range; those to loopback apart, so that no other request can come upon
 * them.
 */
const AGENTS = {
  public: new https.Agent({ keepAlive: true, maxFreeSockets: 8 }),
  loopback: new https.Agent({ keepAlive: true, maxFreeSockets: 8 }),
  plain: new http.Agent({ keepAlive: true, maxFreeSockets: 8 }),
}

type Options = { patience: Patience; resolve?: Resolve | undefined }

function get(address: Address, ask: Ask, { patience, resolve: byName }: Options): Promise<Answer> {
  const plain = address.scheme === 'http'
  return new Promise((resolve, reject) => {
    const request = (plain ? http : https).request({
      method: 'GET',
      hostname: address.host,
      port: address.port,
      path: address.path + address.query,
      headers: {
        // the stored bytes: ranges of a compressed answer would be ranges of other bytes
        'accept-encoding': 'identity',
        'user-agent': 'bulk-ingestion',
        ...(ask.range && { range: rangeHeader(ask.range) }),
        ...(ask.ifMatch && { 'if-match': ask.ifMatch }),
      },
      lookup: checkedLookup(address.loopback, byName),
      agent: plain ? AGENTS.plain : address.loopback ? AGENTS.loopback : AGENTS.public,
      signal: ask.signal,
    })
    limitConnecting(request, plain ? 'connect' : 'secureConnect', patience.connectMs)
    request.on('error', reject)
    request.on('response', (response) => resolve(answerOf(response)))
    request.end()
  })
}

function limitConnecting(
  request: http.ClientRequest,
  connected: 'connect' | 'secureConnect',
  limitMs: number,
): void {
  request.on('socket', (socket) => {
    if (!socket.connecting) return
    const timer = setTimeout(() => request.destroy(new Error(`no connection within ${limitMs} ms`)), limitMs)
    socket.once(connected, () => clearTimeout(timer))
    socket.once('close', () => clearTimeout(timer))
  })
}

function answerOf(response: http.IncomingMessage): Answer {
  return {
    status: response.statusCode ?? 0,
    reason: '',
    ...readHeaders(response.headers),
    body: response,
    cancel: (error) => {
      // a destroyed stream that nobody reads any more would throw its error at the process
      response.on('error', () => {})
      response.destroy(error)
    },
  }
}
