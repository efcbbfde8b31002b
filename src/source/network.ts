import { lookup, type LookupAddress, type LookupOptions } from 'node:dns'
import type { LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'
import type { Address } from '../address.ts'
import { BulkError } from '../errors.ts'

/**
 * Whether a connection may go to an IP address: to public unicast ones only, or, for a host that was admitted
 * as loopback (in development), to loopback ones only. Everything else is somebody's inside: private nets,
 * link-local addresses with their metadata services, and the ways to write an IPv4 address in IPv6 (mapped,
 * 6to4, NAT64, Teredo).
 */
export function isAllowed(address: string, loopback: boolean): boolean {
  if (!ipaddr.isValid(address)) return false
  const parsed = ipaddr.process(address)
  if (loopback) return parsed.range() === 'loopback'
  if (parsed.range() !== 'unicast') return false
  // ipaddr.js calls ::7f00:1 (127.0.0.1 in the form that RFC 4291 gave up) unicast; what IANA has given out
  // is 2000::/3
  return parsed.kind() === 'ipv4' || parsed.match(GLOBAL_UNICAST)
}

/**
 * The look-up of node:http(s) with that check on every address of a name. The connection then goes to the
 * very addresses that were checked, so a name that resolves differently a moment later gains nothing. (The
 * fetch() of Bun has no such hook.)
 */
export function checkedLookup(loopback: boolean, resolve: Resolve = lookup): LookupFunction {
  return (hostname, options, done) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return done(error, '', 0)
      const refused = addresses.find(({ address }) => !isAllowed(address, loopback))
      const first = addresses[0]
      if (refused || !first) return done(refusal(hostname, refused?.address ?? 'no address'), '', 0)
      return options.all ? done(null, addresses) : done(null, first.address, first.family)
    })
  }
}

/** Resolves a name, as `lookup` of node:dns does. */
export type Resolve = (
  hostname: string,
  options: LookupOptions & { all: true },
  done: (error: Error | null, addresses: LookupAddress[]) => void,
) => void

/** A host that is an IP address itself is never looked up: it has to be checked here. */
export function checkHost({ scheme, host, loopback }: Address): void {
  if (scheme !== 's3' && ipaddr.isValid(host) && !isAllowed(host, loopback)) throw refusal(host, host)
}

const GLOBAL_UNICAST = ipaddr.parseCIDR('2000::/3')

function refusal(host: string, address: string): BulkError {
  return new BulkError('source_refused', {
    subject: `host ${host}`,
    found: `the address ${address}`,
    expected: 'public addresses only',
    action: 'Use a host that has no address within a private network.',
  })
}
