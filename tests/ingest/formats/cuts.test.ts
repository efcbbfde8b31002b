import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { zstdCompressSync } from 'node:zlib'
import { takeFrom } from '../../../src/ingest/formats/avro-blocks.ts'
import { readAvro } from '../../../src/ingest/formats/avro-cursor.ts'
import { readCsv } from '../../../src/ingest/formats/csv.ts'
import { readNdjson } from '../../../src/ingest/formats/ndjson.ts'
import { unpackSnappy } from '../../../src/ingest/formats/snappy.ts'
import { unpack } from '../../../src/ingest/formats/unpack.ts'
import { followZstd } from '../../../src/ingest/formats/zstd-frames.ts'
import { avroType, CODECS } from '../../support/avro.ts'

/** Bytes as a socket may hand them out. */
async function* cut(bytes: Uint8Array, places: number[]): AsyncGenerator<Uint8Array, void, void> {
  const ends = [...places.map((place) => place % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b)
  let from = 0
  for (const to of ends) {
    yield bytes.slice(from, to)
    from = to
  }
}

const text = fc.string({
  unit: fc.constantFrom('a', 'é', '"', ',', '\n', '\r', '\r\n', ' ', '😀', '\0'),
  maxLength: 8,
})
const places = fc.array(fc.nat(10_000), { maxLength: 8 })
const quoted = (value: string) => `"${value.replaceAll('"', '""')}"`

describe('wherever the bytes of a file are cut on their way', () => {
  test('a CSV has the same records, and as many as were written', async () => {
    const rows = fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 6 })
    const line = fc.constantFrom('\n', '\r\n')
    await fc.assert(
      fc.asyncProperty(rows, line, places, async (values, end, at) => {
        const lines = values.map((row) => row.map(quoted).join(','))
        const content = Buffer.from(`a,b${end}${lines.join(end)}`)
        let written = ''
        let count = 0
        for await (const part of readCsv(cut(content, at), {
          delimiter: ',',
          quote: '"',
          nullText: '',
          decimal: '.',
        })) {
          if ('names' in part) expect(part.names).toEqual(['a', 'b'])
          else {
            written += new TextDecoder().decode(part.segment.bytes)
            count += part.segment.rows
          }
        }
        expect(written).toBe(lines.map((one) => `${one}\n`).join(''))
        expect(count).toBe(values.length)
      }),
      { seed: 11 },
    )
  })

  test('an NDJSON file has the same values, as they stand there', async () => {
    const row = fc.record({ a: fc.option(text), 'b"': fc.jsonValue(), z: fc.double({ noNaN: true }) })
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 5 }), places, async (rows, at) => {
        const lines = rows.map((one) => JSON.stringify(one))
        const read = readNdjson(cut(Buffer.from(lines.join('\n')), at), {
          keys: ['b"', 'a'],
          late: () => false,
        })
        let written = ''
        for await (const segment of read) written += new TextDecoder().decode(segment.bytes)
        const json = (value: unknown) => (value === null ? '' : quoted(JSON.stringify(value)))
        expect(written).toBe(rows.map((one) => `0,${json(one['b"'])},${json(one.a)}\n`).join(''))
      }),
      { seed: 12 },
    )
  })

  test('a zstd archive is whole at its end and nowhere else, whatever is in it', async () => {
    const content = fc.oneof(
      fc.uint8Array({ maxLength: 3000 }),
      fc.nat(200_000).map((size) => new Uint8Array(size)),
    )
    await fc.assert(
      fc.asyncProperty(content, places, async (bytes, at) => {
        const packed = Buffer.concat([zstdCompressSync(bytes), zstdCompressSync('x')])
        const frames = followZstd()
        for await (const part of cut(packed, at)) expect(frames.follow(part)).toBe(true)
        expect(frames.between()).toBe(true)
        const half = followZstd()
        half.follow(packed.subarray(0, packed.length - 1))
        expect(half.between()).toBe(false)
        const options = { packing: 'zstd' as const, subject: 'x', maxBytes: Infinity }
        const parts: Uint8Array[] = []
        for await (const part of unpack(cut(packed, at), options)) parts.push(part.slice())
        const mark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
        if (!mark) expect(Buffer.concat(parts).equals(Buffer.concat([bytes, Buffer.from('x')]))).toBe(true)
      }),
      { seed: 13, numRuns: 50 },
    )
  })

  test('bytes and numbers are taken as they were written', async () => {
    const numbers = fc.array(fc.integer(), { minLength: 1, maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(numbers, places, async (values, at) => {
        const type = avroType('long')
        const taker = takeFrom(cut(Buffer.concat(values.map((value) => type.toBuffer(value))), at))
        for (const value of values) expect(await taker.long()).toBe(value)
        expect(await taker.end()).toBe(true)
      }),
      { seed: 14 },
    )
  })
})

test('a number of 64 bits is read as avsc writes it', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
      expect(BigInt(readAvro(avroType('long').toBuffer(value)).long())).toBe(value)
    }),
    { seed: 15 },
  )
})

test('snappy is unpacked as snappyjs packs it, and whatever is damaged is told or stays within its bounds', () => {
  const repeated = fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 400 }))
  const bytes = repeated.map(([part, times]) => Buffer.concat(Array.from({ length: times }, () => part)))
  fc.assert(
    fc.property(bytes, fc.nat(), fc.nat(255), (content, at, byte) => {
      const packed = CODECS.snappy!(content).slice(0, -4)
      expect(Buffer.from(unpackSnappy(packed, 1e6) ?? []).equals(content)).toBe(true)
      expect(unpackSnappy(packed, content.length - 1)).toBeUndefined()
      packed[at % packed.length] = byte
      expect(unpackSnappy(packed, content.length)?.length ?? 0).toBeLessThanOrEqual(content.length)
    }),
    { seed: 16 },
  )
})

test('an archive that unpacks to more than is allowed is not unpacked', async () => {
  const packed = zstdCompressSync(new Uint8Array(5_000_000))
  const read = unpack(cut(packed, []), { packing: 'zstd', subject: 'x', maxBytes: 1_000_000 })
  const all = async () => {
    for await (const _ of read);
  }
  await expect(all()).rejects.toMatchObject({ code: 'file_too_large' })
})

// 16 kB is what zlib unpacks at once: if each made a copy of all before it, the row took minutes
test.each([1024, 16])(
  'a row of more than 64 MiB is told by its number, in pieces of %d kB',
  async (kilobytes) => {
    const csv = { delimiter: ',', quote: '"', nullText: '', decimal: '.' as const }
    async function* endless(): AsyncGenerator<Uint8Array, void, void> {
      yield Buffer.from('a,b\n1,2\n3,"')
      const part = Buffer.alloc(kilobytes * 1024, 'x')
      for (;;) yield part
    }
    const all = async () => {
      for await (const _ of readCsv(endless(), csv));
    }
    const started = performance.now()
    await expect(all()).rejects.toMatchObject({ code: 'file_too_large', extra: { row: 2 } })
    expect(performance.now() - started).toBeLessThan(10_000)
  },
)
