/** How Bun serves the API. */
export const SERVE = {
  // Bun's own 413 has an empty body, and who sends a whole file most needs to be told. Bun holds nothing of a
  // body that no handler reads (1.5 GB sent, 32 MB resident), and readJson() bounds what is read: so every
  // length may come in.
  maxRequestBodySize: Number.MAX_SAFE_INTEGER,
  // seconds without a byte in either direction; Bun's own 10 would cut a client behind a slow link. A head that drips
  // has 10 to 14 s from Bun, whatever stands here, and a body its own time (readJson)
  idleTimeout: 30,
  // else Bun answers what escapes with a page that shows source code
  development: false,
  // Elysia's default lets a second service take the same port, and half of the requests, without an error
  reusePort: false,
}
