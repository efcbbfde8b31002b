/**
 * Follows the frames of a zstd stream (RFC 8878) without unpacking them, to tell whether it ends where a frame does:
 * Bun's decoder takes a file that was cut off, or that goes on with something else, for one that is complete.
 */
export type ZstdFrames = {
  /** False: this is no zstd. */
  follow(bytes: Uint8Array): boolean
  /** Whether a new frame, or the end of the file, may come. */
  between(): boolean
}

const MAGIC = 0xfd2fb528
const SKIPPABLE = 0x184d2a5

/** Follows the frames of a file from its first byte on. */
export function followZstd(): ZstdFrames {
  /** Bytes of the headers that come next, and how many more are needed before they can be read. */
  let header: number[] = []
  let needed = 4
  let skip = 0
  let part: 'magic' | 'length' | 'descriptor' | 'block' = 'magic'
  let checksum = 0
  let wrong = false

  function next(): void {
    const value = header.reduce((sum, byte, at) => sum + byte * 2 ** (8 * at), 0)
    header = []
    if (part === 'magic') readMagic(value)
    else if (part === 'length') endFrame(value)
    else if (part === 'descriptor') readDescriptor(value)
    else readBlock(value)
  }
  function expect(which: typeof part, bytes: number): void {
    part = which
    needed = bytes
  }
  function endFrame(rest: number): void {
    skip = rest
    expect('magic', 4)
  }
  function readMagic(value: number): void {
    if (value === MAGIC) expect('descriptor', 1)
    else if (Math.floor(value / 16) === SKIPPABLE) expect('length', 4)
    else wrong = true
  }
  function readDescriptor(value: number): void {
    const single = (value >> 5) & 1
    const dictionary = [0, 1, 2, 4][value & 3]!
    const content = [single, 2, 4, 8][value >> 6]!
    checksum = value & 4 ? 4 : 0
    skip = (single ? 0 : 1) + dictionary + content
    expect('block', 3)
  }
  function readBlock(value: number): void {
    const size = value >> 3
    // a block of type 1 is one byte that is repeated
    skip = ((value >> 1) & 3) === 1 ? 1 : size
    if (value & 1) endFrame(skip + checksum)
    else expect('block', 3)
  }
  return {
    follow: (bytes) => {
      for (let at = 0; at < bytes.length && !wrong;) {
        const skipped = Math.min(skip, bytes.length - at)
        skip -= skipped
        at += skipped
        if (at === bytes.length) break
        header.push(bytes[at++]!)
        if (header.length === needed) next()
      }
      return !wrong
    },
    between: () => part === 'magic' && header.length === 0 && skip === 0,
  }
}
