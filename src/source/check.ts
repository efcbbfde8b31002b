import { type Address, EVERY_SOURCE, isRegistered, isUnder, parseAddress } from '../address.ts'
import { BulkError } from '../errors.ts'
import { publicUrl } from '../job.ts'
import { checkHost } from './network.ts'

/** What is allowed at all. `sources`: as the administrator registered them; absent: the figura was held to them. */
type Allowed = { allowLoopback: boolean; sources?: readonly string[] }

/**
 * Checks that a file may be fetched from a URL at all, and for a figura with these sources. Pure: nothing is
 * resolved or fetched, so a file that passes may still be missing, and a host may still turn out to be
 * private when it is resolved.
 *
 * The URL has to lie under one of the prefixes by whole segments: `s3://b/exports` admits
 * `s3://b/exports/a.parquet` and not `s3://b/exports-old/a.parquet`; `s3://b/exports/` (the better way to
 * write it) says so plainly.
 *
 * @throws BulkError `source_refused`, which lists the sources that the figura has
 */
export function checkSource(
  url: string,
  sources: string[],
  { allowLoopback, sources: registered = [EVERY_SOURCE] }: Allowed,
): void {
  const address = parseAddress(url)
  if ('found' in address) throw new BulkError('source_refused', { subject: 'url', ...address }, { sources })
  checkAddress('url', address, allowLoopback)
  if (!isRegistered(address, registered)) throw notRegistered(url)
  if (sources.some((source) => admits(source, address))) return
  throw new BulkError(
    'source_refused',
    { subject: 'url', found: publicUrl(url), expected: `an address under ${sources.join(' or ')}` },
    { sources },
  )
}

/**
 * Checks what holds for every address, whatever the figura: it names a file; it is not the service's own
 * machine, where in production databases and metadata services live; and it is no IP address of a private
 * network.
 */
export function checkAddress(subject: string, address: Address, allowLoopback: boolean): void {
  const refuse = (found: string, expected: string) =>
    new BulkError('source_refused', { subject, found, expected })
  const noKey = address.path === '' || address.path.endsWith('/')
  if (address.scheme === 's3' && noKey)
    throw refuse(`the prefix ${address.origin}${address.path}`, 'the key of a file')
  if (address.loopback && !allowLoopback)
    throw refuse(`the host ${address.host}, this machine`, 'another host')
  checkHost(address)
}

/** The figura was accepted while its sources were registered, and the administrator has taken one back since. */
function notRegistered(url: string): BulkError {
  return new BulkError('source_refused', {
    subject: 'url',
    found: `${publicUrl(url)}, under no registered source`,
    expected: 'an address under one of SOURCES',
    action: 'Ask the administrator of the service to register the source.',
  })
}

function admits(source: string, address: Address): boolean {
  const prefix = parseAddress(source)
  return !('found' in prefix) && isUnder(prefix, address)
}
