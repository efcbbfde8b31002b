import { Readable } from 'node:stream'
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3'
import type { Address } from '../address.ts'
import type { S3Config } from '../config.ts'
import { BulkError } from '../errors.ts'
import { type Answer, type Ask, rangeHeader, readHeaders, type Transport } from './answer.ts'
import type { Patience } from './patience.ts'

/**
 * Fetches an object of S3, or of a server that speaks like it, by GetObject alone: HeadObject needs another
 * right.
 */
export function s3Transport(
  address: Address,
  { s3, name, patience }: { s3: S3Config; name: string; patience: Patience },
): Transport {
  const client = clientFor(s3, patience)
  return { name, get: (ask) => get(client, address, ask, name) }
}

/**
 * One client per configuration and thread: it holds the connections, and the credentials until they have to
 * be renewed.
 */
const clients = new Map<string, S3Client>()

/** The client of a configuration, made when it is first asked for. */
export function clientFor(s3: S3Config, patience: Patience): S3Client {
  const id = JSON.stringify([s3, patience])
  const client = clients.get(id) ?? createClient(s3, patience)
  clients.set(id, client)
  return client
}

function createClient(s3: S3Config, patience: Patience): S3Client {
  return new S3Client({
    endpoint: s3.endpoint,
    region: s3.region,
    // a copy: the SDK writes into it, and the configuration is frozen
    credentials: s3.credentials && { ...s3.credentials },
    forcePathStyle: s3.forcePathStyle,
    // servers that only speak like S3 do not know the checksums that the SDK asks for by itself since 3.729
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // attempts are made in one place for all sources, where a range that broke off is resumed and not begun
    // anew
    maxAttempts: 1,
    requestHandler: { connectionTimeout: patience.connectMs },
  })
}

async function get(client: S3Client, address: Address, ask: Ask, name: string): Promise<Answer> {
  const command = new GetObjectCommand({
    Bucket: address.host,
    Key: address.path.slice(1),
    Range: ask.range ? rangeHeader(ask.range) : undefined,
    IfMatch: ask.ifMatch ?? undefined,
  })
  try {
    const { Body, ETag, ContentRange, ContentLength, $metadata } = await client.send(command, {
      abortSignal: ask.signal,
    })
    const body = Body instanceof Readable ? Body : Readable.from([])
    const headers = { etag: ETag, 'content-range': ContentRange, 'content-length': ContentLength?.toString() }
    return {
      status: $metadata.httpStatusCode ?? 0,
      reason: '',
      ...readHeaders(headers),
      body,
      cancel: (error) => {
        // a destroyed stream that nobody reads any more would throw its error at the process
        body.on('error', () => {})
        body.destroy(error)
      },
    }
  } catch (error) {
    return refusedAnswer(error, name)
  }
}

/** The SDK throws for every status but 2xx; here a status is an answer like any other. */
export function refusedAnswer(error: unknown, name: string): Answer {
  if (!(error instanceof Error)) throw error
  if (error.name === 'CredentialsProviderError') {
    throw new BulkError('source_denied', {
      subject: name,
      found: 'no credentials for the bucket',
      expected: 'S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY, or a role of the machine',
    })
  }
  const { $metadata, $response } = error as Error & Refusal
  if (!$metadata?.httpStatusCode) throw error
  return {
    status: $metadata.httpStatusCode,
    reason: error.name,
    ...readHeaders($response?.headers ?? {}),
    body: Readable.from([]),
    cancel: () => {},
  }
}

type Refusal = { $metadata?: { httpStatusCode?: number }; $response?: { headers?: Record<string, string> } }
