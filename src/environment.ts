import { EVERY_SOURCE, parseAddress } from './address.ts'

/** The variables of a process, as they were given. */
export type Environment = Record<string, string | undefined>

/** Keys of an S3 account. */
export type Credentials = { accessKeyId: string; secretAccessKey: string; sessionToken: string | undefined }

/**
 * The keys, if there are any. All three from one family: a session token of AWS beside the keys of another server
 * would be refused by it.
 */
export function readCredentials(env: Environment, wrong: string[]): Credentials | undefined {
  const family = env.S3_ACCESS_KEY_ID || env.S3_SECRET_ACCESS_KEY ? 'S3' : 'AWS'
  const accessKeyId = env[`${family}_ACCESS_KEY_ID`]
  const secretAccessKey = env[`${family}_SECRET_ACCESS_KEY`]
  if (!accessKeyId && !secretAccessKey) return undefined
  if (!accessKeyId || !secretAccessKey) {
    const both = `${family}_ACCESS_KEY_ID and ${family}_SECRET_ACCESS_KEY`
    wrong.push(`${both}: found one of the two, expected both or neither`)
    return undefined
  }
  return { accessKeyId, secretAccessKey, sessionToken: env[`${family}_SESSION_TOKEN`] || undefined }
}

/** The key that secrets are sealed with, in hexadecimal. What is wrong with it is told without a part of it. */
export function readSecretKey(env: Environment, wrong: string[]): string | undefined {
  const text = env.SECRET_KEY
  if (!text) return undefined
  const bytes = /^[0-9a-f]{64}$/i.test(text) ? Buffer.from(text, 'hex') : Buffer.from(text, 'base64')
  if (bytes.length === 32 && /^[0-9A-Za-z+/]+=*$/.test(text)) return bytes.toString('hex')
  wrong.push('SECRET_KEY: found no key, expected 32 bytes in base64, as `openssl rand -base64 32` makes them')
  return undefined
}

/** Reads single variables; what is wrong with one goes to `wrong`, by its name, and a preset takes its place. */
export function reader(env: Environment, wrong: string[]) {
  return {
    integer(name: string, preset: number, min: number, max: number): number {
      const text = env[name]
      if (text === undefined || text === '') return preset
      const value = Number(text)
      if (Number.isInteger(value) && value >= min && value <= max) return value
      wrong.push(`${name}: found "${text}", expected a whole number from ${min} to ${max}`)
      return preset
    },
    boolean(name: string, preset: boolean): boolean {
      const text = env[name]
      if (text === undefined || text === '') return preset
      if (text === 'true' || text === '1') return true
      if (text === 'false' || text === '0') return false
      wrong.push(`${name}: found "${text}", expected true or false`)
      return preset
    },
    oneOf<T extends string>(name: string, allowed: readonly T[], preset: T): T {
      const text = env[name]
      if (text === undefined || text === '') return preset
      const value = allowed.find((one) => one === text)
      if (value) return value
      wrong.push(`${name}: found "${text}", expected ${allowed.join(', ')}`)
      return preset
    },
    matching(name: string, pattern: RegExp, preset: string, expected: string): string {
      const text = env[name] || preset
      if (!pattern.test(text)) wrong.push(`${name}: found "${text}", expected ${expected}`)
      return text
    },
    /** Prefixes of addresses, with commas or blanks between them. */
    prefixes(name: string, { every }: { every: boolean }): string[] {
      const prefixes = (env[name] ?? '').split(/[\s,]+/).filter((one) => one !== '')
      for (const one of prefixes) {
        const address = parseAddress(one)
        if (one === EVERY_SOURCE && every) continue
        const found =
          one === EVERY_SOURCE ? 'without ALLOW_LOOPBACK_SOURCES' : 'found' in address && address.found
        if (found || ('query' in address && address.query))
          wrong.push(
            `${name}: found a prefix (${found || 'a query'}), expected such as s3://bucket/exports/ or https://host/`,
          )
      }
      return prefixes
    },
    /** The value may hold a password, so an error never repeats it. */
    url(name: string, protocols: string[], example: string): string {
      const text = env[name]
      if (!text) {
        wrong.push(`${name}: found nothing, expected an address such as ${example}`)
        return ''
      }
      if (!URL.canParse(text) || !protocols.includes(new URL(text).protocol)) {
        wrong.push(`${name}: found something that is no address, expected one such as ${example}`)
      }
      return text
    },
  }
}
