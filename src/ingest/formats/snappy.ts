/**
 * Unpacks a block of snappy (its raw format, as avro has it). No byte is read or written outside of the block.
 * @returns undefined when the block is damaged, or has more than `maxBytes`
 */
export function unpackSnappy(packed: Uint8Array, maxBytes: number): Uint8Array | undefined {
  let length = 0
  let at = 0
  for (let factor = 1; ; factor *= 128) {
    const byte = packed[at++]
    if (byte === undefined || at > 5) return undefined
    length += (byte & 127) * factor
    if (byte < 128) break
  }
  if (length > maxBytes) return undefined
  const out = new Uint8Array(length)
  let used = 0
  const little = (bytes: number) => {
    let value = 0
    for (let no = 0; no < bytes; no++) value += (packed[at++] ?? 0) * 2 ** (8 * no)
    return value
  }
  while (at < packed.length) {
    const tag = packed[at++]!
    if ((tag & 3) === 0) {
      const size = (tag >> 2) + 1
      const literal = size <= 60 ? size : little(size - 60) + 1
      if (at + literal > packed.length || used + literal > length) return undefined
      out.set(packed.subarray(at, at + literal), used)
      at += literal
      used += literal
      continue
    }
    const short = (tag & 3) === 1
    const size = short ? ((tag >> 2) & 7) + 4 : (tag >> 2) + 1
    const offset = short ? (tag >> 5) * 256 + little(1) : little((tag & 3) === 2 ? 2 : 4)
    if (offset === 0 || offset > used || used + size > length || at > packed.length) return undefined
    // byte by byte: a copy may reach into what it writes
    for (const end = used + size; used < end; used++) out[used] = out[used - offset]!
  }
  return used === length ? out : undefined
}
