import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { S3Client } from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'

export type Place = { endpoint: string | undefined; region: string; bucket: string; key: string }

/** Parts of 8 MiB, two under way: 16 MiB of memory, and files of up to 80 GB (S3 takes 10,000 parts). */
const PART_BYTES = 8 * 1024 * 1024

/**
 * Puts a file into a bucket, in parts. S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY are its keys; without them
 * the usual ones of AWS are looked for (environment, profile, instance role).
 * @throws Error that says what the bucket answered
 */
export async function upload(file: string, place: Place): Promise<string> {
  const { endpoint, region, bucket, key } = place
  const client = new S3Client({
    region,
    ...(endpoint ? { endpoint, forcePathStyle: true } : {}),
    credentials: credentials(process.env),
    // other servers than AWS often do not know the checksums of newer clients
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  })
  try {
    const params = { Bucket: bucket, Key: key, Body: createReadStream(file) }
    await new Upload({ client, params, partSize: PART_BYTES, queueSize: 2 }).done()
    return `s3://${bucket}/${key}`
  } catch (error) {
    throw new Error(`Upload to s3://${bucket}/${key} failed: ${reason(error, endpoint)}`, { cause: error })
  } finally {
    client.destroy()
  }
}

/**
 * The SHA-256 of a file, as hexadecimal digits. With it the service knows the file for the one that was
 * meant.
 */
export async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const part of createReadStream(file)) hash.update(part)
  return hash.digest('hex')
}

function credentials(env: Record<string, string | undefined>) {
  const accessKeyId = env.S3_ACCESS_KEY_ID
  const secretAccessKey = env.S3_SECRET_ACCESS_KEY
  if (!accessKeyId !== !secretAccessKey) {
    throw new Error(
      'S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY: found one of the two, expected both or neither',
    )
  }
  return accessKeyId && secretAccessKey
    ? { accessKeyId, secretAccessKey, sessionToken: env.S3_SESSION_TOKEN }
    : undefined
}

const HINTS: Record<string, string> = {
  NoSuchBucket: 'Name another with --bucket, or have it made.',
  InvalidAccessKeyId: 'Look at S3_ACCESS_KEY_ID.',
  SignatureDoesNotMatch: 'Look at S3_SECRET_ACCESS_KEY.',
  AccessDenied: 'Have the keys allowed to write there.',
  CredentialsProviderError: 'Set S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY.',
  ECONNREFUSED: 'Look at --endpoint.',
  ConnectionRefused: 'Look at --endpoint.',
}

function reason(error: unknown, endpoint: string | undefined): string {
  if (!(error instanceof Error)) return String(error)
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name
  const asked = endpoint ? `${endpoint} says` : 'AWS says'
  const message = error.message.replace(/\.?$/, '.')
  return `${asked} ${code}: ${message} ${HINTS[code] ?? HINTS[error.name] ?? ''}`.trim()
}
