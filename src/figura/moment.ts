const DATE = /^(\d{4})-(\d{2})-(\d{2})/
const TIME = /^([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:\.(\d{1,6}))?/
const ZONE = /^(?:Z|([+-])(0\d|1[0-5])(?::?([0-5]\d))?)$/

const DAY_US = 86_400_000_000n

/** A day as ISO 8601 writes it, as microseconds since 1970. Undefined: it is none, such as 2026-02-30. */
export function parseDate(text: string): bigint | undefined {
  return text.length === 10 ? dayOf(text) : undefined
}

/** A time of the day, as microseconds since midnight. */
export function parseTime(text: string): bigint | undefined {
  const time = TIME.exec(text)
  return time?.[0].length === text.length ? clockOf(time) : undefined
}

/** A time of a calendar, as microseconds since 1970 by the same clock; a day alone is its midnight. */
export function parseTimestamp(text: string): bigint | undefined {
  const { at, rest } = timestampOf(text)
  return text.length === 10 ? parseDate(text) : rest === '' ? at : undefined
}

/** An instant, as microseconds since 1970. It says its zone, since no clock is everybody's. */
export function parseInstant(text: string): bigint | undefined {
  const { at, rest } = timestampOf(text)
  const zone = ZONE.exec(rest)
  if (at === undefined || !zone) return undefined
  const [, sign, hours = '0', minutes = '0'] = zone
  const offset = BigInt(Number(hours) * 60 + Number(minutes)) * 60_000_000n
  return sign === '-' ? at + offset : at - offset
}

function timestampOf(text: string): { at: bigint | undefined; rest: string } {
  const day = dayOf(text)
  const time = /[T ]/.test(text.charAt(10)) ? TIME.exec(text.slice(11)) : null
  if (day === undefined || !time) return { at: undefined, rest: '' }
  return { at: day + clockOf(time), rest: text.slice(11 + time[0].length) }
}

function dayOf(text: string): bigint | undefined {
  const [, year, month, day] = DATE.exec(text) ?? []
  if (year === undefined || year === '0000') return undefined
  // setUTCFullYear and not Date.UTC, to which the year 99 is 1999
  const date = new Date(0)
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  if (date.getUTCMonth() !== Number(month) - 1 || date.getUTCDate() !== Number(day)) return undefined
  return (BigInt(date.getTime()) / 86_400_000n) * DAY_US
}

function clockOf([, hours, minutes, seconds, fraction = '']: RegExpExecArray): bigint {
  const whole = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)
  return BigInt(whole) * 1_000_000n + BigInt(fraction.padEnd(6, '0'))
}
