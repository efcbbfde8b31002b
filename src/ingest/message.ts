/** A CopyData message of PostgreSQL's protocol begins with its letter and its length, which counts itself. */
export const MESSAGE_HEADER_BYTES = 5
const COPY_DATA = 'd'.charCodeAt(0)

/**
 * Makes a CopyData message of bytes of which the first MESSAGE_HEADER_BYTES are still free. Frames are made so,
 * with room for the header, since postgres.js would else copy each into a new Buffer for it: 6 % of a worker's
 * CPU, most of it for pages that the kernel gave and took back.
 */
export function asMessage(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const lengthBytes = bytes.length - 1
  bytes[0] = COPY_DATA
  bytes[1] = lengthBytes >>> 24
  bytes[2] = lengthBytes >>> 16
  bytes[3] = lengthBytes >>> 8
  bytes[4] = lengthBytes
  return bytes
}
