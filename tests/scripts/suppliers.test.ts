import { describe, expect, test } from 'bun:test'
import { isCnpj, type Supplier } from '../../scripts/supplier.ts'
import { changedSuppliers, suppliers, toJson } from '../../scripts/suppliers.ts'

const list = suppliers({ count: 12_000, seed: 7 })

describe('the list of suppliers', () => {
  test('is the same, byte for byte, for the same seed, and another for another', () => {
    expect(toJson(suppliers({ count: 12_000, seed: 7 }))).toBe(toJson(list))
    expect(toJson(suppliers({ count: 12_000, seed: 8 }))).not.toBe(toJson(list))
    expect(toJson(changedSuppliers(list, 7).list)).toBe(toJson(changedSuppliers(list, 7).list))
  })

  test('is JSON that a reader gives back as it was', () => {
    expect(JSON.parse(toJson(list))).toEqual(list)
  })

  test('numbers its suppliers from 1, each with a CNPJ of its own and valid check digits', () => {
    expect(list.map((one) => one.id)).toEqual(Array.from({ length: 12_000 }, (_, index) => index + 1))
    expect(new Set(list.map((one) => one.cnpj)).size).toBe(12_000)
    expect(list.filter((one) => !isCnpj(one.cnpj))).toEqual([])
  })

  test('fits the figura: codes of two letters, amounts of two decimals, days and times that exist', () => {
    for (const one of list) {
      expect(one.estado).toMatch(/^[A-Z]{2}$/)
      expect(one.cep ?? '00000000').toMatch(/^[0-9]{8}$/)
      expect(String(one.limite_credito ?? '')).toMatch(/^([0-9]+(\.[0-9]{1,2})?)?$/)
      expect(one.fundado_em || '2000-01-01').toMatch(/^(18|19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}$/)
      expect(one.atualizado_em).toMatch(/^202[56]-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{3}(Z|[-+][0-9]{2}:00)$/)
      expect(Date.parse(one.atualizado_em)).toBeGreaterThan(0)
    }
  })

  test('has what makes real exports hard', () => {
    const json = toJson(list)
    for (const text of ['ç', 'ã', '&', '\\"', "'", '👩🏽‍🌾', '🇧🇷', '\\t', '\\\\', 'e\u0301']) {
      expect(json).toContain(text)
    }
    for (const name of ['nome_fantasia', 'limite_credito', 'fundado_em'] as const) {
      expect(list.some((one) => one[name] === null)).toBe(true)
      expect(list.some((one) => one[name] === '')).toBe(true)
    }
    expect(new Set(list.map((one) => typeof one.limite_credito))).toEqual(
      new Set(['string', 'number', 'object']),
    )
    expect(
      list.some((one) => one.fundado_em !== null && one.fundado_em > '' && one.fundado_em < '1900'),
    ).toBe(true)
    expect(list.some((one) => one.contatos?.length === 0)).toBe(true)
    expect(list.some((one) => one.tags?.includes(''))).toBe(true)
  })
})

describe('the CNPJ', () => {
  test('is judged by its check digits', () => {
    expect(isCnpj('11222333000181')).toBe(true)
    expect(isCnpj('11222333000182')).toBe(false)
    expect(isCnpj('1122233300018')).toBe(false)
  })
})

describe('the second list', () => {
  const { list: after, changes } = changedSuppliers(list, 7)

  test('changes, adds and leaves alone as many as it says', () => {
    expect(changes).toEqual({ updated: 960, inserted: 240, unchanged: 11_040 })
    const known = new Map(list.map((one) => [one.id, meaning(one)]))
    const found = { updated: 0, inserted: 0, unchanged: 0 }
    for (const one of after) {
      const before = known.get(one.id)
      if (before === undefined) found.inserted++
      else if (before === meaning(one)) found.unchanged++
      else found.updated++
    }
    expect(found).toEqual(changes)
    expect(new Set(after.map((one) => one.id)).size).toBe(12_240)
  })

  test('writes some equal values in another way', () => {
    const same = after.filter((one, index) => list[index] && meaning(list[index]) === meaning(one))
    const respelled = same.filter((one) => JSON.stringify(list[one.id - 1]) !== JSON.stringify(one))
    expect(respelled.length).toBeGreaterThan(1000)
  })
})

/** A record as the table has it: amounts as numbers, times as instants, an empty amount or day as null. */
function meaning(one: Supplier): string {
  const limite_credito =
    one.limite_credito === '' || one.limite_credito === null ? null : Number(one.limite_credito)
  return JSON.stringify({
    ...one,
    limite_credito,
    fundado_em: one.fundado_em || null,
    atualizado_em: Date.parse(one.atualizado_em),
  })
}
