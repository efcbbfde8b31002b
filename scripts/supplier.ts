import { type Dice, dice } from './dice.ts'
import { BRANDS, FIRST_NAMES, FLOURISHES, KINDS, PLACES } from './supplier-words.ts'
import { POSITIONS, STREETS, SURNAMES, TAGS, TRADES } from './supplier-words.ts'

export type Contact = { nome: string; cargo: string | null; email: string | null; telefones: string[] }

/**
 * A supplier as an ERP exports it: amounts now as numbers, now as texts, and an empty text where a null is
 * meant.
 */
export type Supplier = {
  id: number
  cnpj: string
  razao_social: string
  nome_fantasia: string | null
  email: string | null
  telefone: string | null
  endereco: string | null
  municipio: string
  estado: string
  cep: string | null
  limite_credito: number | string | null
  score: number | null
  ativo: boolean | null
  fundado_em: string | null
  atualizado_em: string
  contatos: Contact[] | null
  tags: string[] | null
}

const DAY_MS = 86_400_000
const EXPORTED_AT = Date.UTC(2026, 1, 27, 18, 0, 0)
const EARLIEST_DAY = Date.UTC(1889, 10, 15) / DAY_MS
const LATEST_DAY = Date.UTC(2026, 0, 31) / DAY_MS

/** Supplier number `id`: always the same for the same id and seed. */
export function supplier(id: number, seed: number): Supplier {
  const draw = dice(seed, id)
  const { uf, zone, cities } = draw.one(PLACES)
  const surname = draw.one(SURNAMES)
  const trade = draw.one(TRADES)
  return {
    id,
    cnpj: withCheckDigits(companyNumber(id, seed)),
    razao_social: `${surname} ${trade} ${draw.one(KINDS)}`,
    nome_fantasia: draw.maybe(0.85, () => tradeName(draw, trade)),
    email: draw.maybe(0.8, () => `${plain(`${surname}.${trade}`)}${id}@exemplo.com.br`),
    telefone: draw.maybe(0.9, () => phone(draw)),
    endereco: draw.maybe(0.95, () => address(draw)),
    municipio: draw.one(cities),
    estado: uf,
    cep: draw.maybe(0.97, () => digits(1_000_000 + draw.below(98_000_000), 8)),
    limite_credito: draw.maybe(0.9, () => amount(draw)),
    score: draw.maybe(0.85, () => draw.below(1_000_000) / 10_000),
    ativo: draw.maybe(0.98, () => draw.chance(0.93)),
    fundado_em: draw.maybe(0.92, () => (draw.chance(0.02) ? '' : foundingDay(draw))),
    atualizado_em: timeAt(EXPORTED_AT - draw.below(400 * DAY_MS), draw.chance(0.2) ? 'Z' : zone),
    contatos: draw.maybe(0.85, () => Array.from({ length: draw.below(4) }, () => contact(draw))),
    tags: draw.maybe(0.9, () => Array.from({ length: draw.below(4) }, () => draw.one(TAGS))),
  }
}

/** The record with new values in some columns; the time of the change is always one of them. */
export function changed(one: Supplier, draw: Dice): Supplier {
  const after = { ...one, atualizado_em: timeAt(EXPORTED_AT + draw.below(3 * DAY_MS) + 1, '-03:00') }
  if (draw.chance(0.5)) after.limite_credito = draw.maybe(0.8, () => amount(draw))
  if (draw.chance(0.3)) after.telefone = phone(draw)
  if (draw.chance(0.2)) after.contatos = [...(one.contatos ?? []), contact(draw)]
  if (draw.chance(0.1)) after.tags = one.tags ? null : ['crítico']
  if (draw.chance(0.1)) after.ativo = !one.ativo
  return after
}

/**
 * The record with equal values in another spelling: a text for a number or back, the same instant in another
 * zone.
 */
export function respelled(one: Supplier): Supplier {
  const before = one.limite_credito
  const limite_credito = typeof before === 'number' ? before.toFixed(2) : before ? Number(before) : null
  return { ...one, limite_credito, atualizado_em: timeAt(Date.parse(one.atualizado_em), '+00:00') }
}

/** Whether the last two of 14 digits are the check digits of the first twelve. */
export function isCnpj(text: string): boolean {
  return /^[0-9]{14}$/.test(text) && text === withCheckDigits(text.slice(0, 12))
}

/**
 * 8 digits of the company, distinct for distinct ids (48271 shares no divisor with 10^8), and 0001 for its
 * seat.
 */
function companyNumber(id: number, seed: number): string {
  return `${digits((id * 48_271 + seed * 7_919) % 100_000_000, 8)}0001`
}

/** The two check digits of a CNPJ: weights 2 to 9 from the right, over and over, modulo 11. */
function withCheckDigits(twelve: string): string {
  let text = twelve
  for (let added = 0; added < 2; added++) {
    const sum = text
      .split('')
      .reverse()
      .reduce((total, digit, place) => total + Number(digit) * (2 + (place % 8)), 0)
    text += sum % 11 < 2 ? '0' : String(11 - (sum % 11))
  }
  return text
}

/** One in ten is empty, as where a form was left blank. */
function tradeName(draw: Dice, trade: string): string {
  if (draw.chance(0.1)) return ''
  return `${draw.one(BRANDS)} ${trade}${draw.chance(0.15) ? draw.one(FLOURISHES) : ''}`
}

function address(draw: Dice): string {
  const room = draw.chance(0.3) ? `, sala ${draw.below(90) + 1}` : ''
  return `${draw.one(STREETS)} ${draw.below(4000) + 1}${room}`
}

/** Reais with two decimals; one in a hundred is a large one. */
function amount(draw: Dice): number | string {
  if (draw.chance(0.02)) return ''
  const cents = draw.below(draw.chance(0.01) ? 900_000_000_000 : 50_000_000)
  return draw.chance(0.5) ? (cents / 100).toFixed(2) : cents / 100
}

function contact(draw: Dice): Contact {
  const nome = `${draw.one(FIRST_NAMES)} ${draw.one(SURNAMES)}`
  return {
    nome,
    cargo: draw.maybe(0.8, () => draw.one(POSITIONS)),
    email: draw.maybe(0.7, () => `${plain(nome)}@exemplo.com.br`),
    telefones: Array.from({ length: draw.below(3) }, () => phone(draw)),
  }
}

function phone(draw: Dice): string {
  return `(${draw.below(89) + 11}) 9${digits(draw.below(10_000), 4)}-${digits(draw.below(10_000), 4)}`
}

function foundingDay(draw: Dice): string {
  const day = EARLIEST_DAY + draw.below(LATEST_DAY - EARLIEST_DAY)
  return new Date(day * DAY_MS).toISOString().slice(0, 10)
}

/** ISO 8601 with the zone: `2026-02-27T14:03:11.250-03:00`. */
function timeAt(atMs: number, zone: string): string {
  const hours = zone === 'Z' ? 0 : Number(zone.slice(0, 3))
  return new Date(atMs + hours * 3_600_000).toISOString().replace('Z', zone)
}

/** For mail addresses: lower case, without accents and blanks. */
function plain(text: string): string {
  return text
    .normalize('NFD')
    .toLowerCase()
    .replaceAll(/[^a-z0-9.]/g, '')
}

function digits(value: number, width: number): string {
  return String(value).padStart(width, '0')
}
