import { parseAddress } from '../address.ts'

/**
 * What a signed address has beside the place of its file: signatures of S3 (new and old) and Google, and how the answer
 * is to be named. `versionId` is none of them: two versions of a key are two files.
 */
const SIGNED =
  /^(x-amz-.*|awsaccesskeyid|x-goog-.*|googleaccessid|signature|expires|key-pair-id|policy|x-id|response-.*)$/i

/** The same of Azure, whose short names other hosts may use for a choice of the file. */
const AZURE_SIGNED = /^(sig|s[a-z]{1,2}|sk(oid|tid)|r(scc|scd|sce|scl|sct))$/i
const AZURE_HOST = /\.(blob|dfs)\.core\.windows\.net$/

/** A bucket of AWS in the name of a host, or before the path: `b.s3.sa-east-1.amazonaws.com`, `s3.amazonaws.com/b`. */
const AWS_HOST = /^(?:(.+)\.)?s3(?:[.-](?:dualstack\.)?[a-z0-9-]+)?\.amazonaws\.com(?:\.cn)?$/

/**
 * The file that an address stands for, whoever signed it and when: two addresses of one file give the same text. It is
 * for comparing alone; a query may be a secret.
 */
export function identityOf(url: string): string {
  const address = parseAddress(url)
  if ('found' in address) return url
  const { scheme, host, origin, path, query } = address
  if (scheme === 's3') return `${origin}${path}`
  const signed = AZURE_HOST.test(host) ? AZURE_SIGNED : SIGNED
  const asked = [...new URLSearchParams(query)].filter(([name]) => !signed.test(name))
  const rest = asked
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join('&')
  const [aws, bucket] = AWS_HOST.exec(host) ?? []
  const place = aws ? `s3:/${bucket ? `/${bucket}` : ''}${decoded(path)}` : `${origin}${path}`
  return rest ? `${place}?${rest}` : place
}

/** The key of an object, as it is written in s3://bucket/key. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}
