import { format } from 'prettier'
import { figuraJsonSchema } from '../src/figura/schema.ts'

/** Writes figuras/figura.schema.json, which editors read, from the schema that checks the files. */
const path = new URL('../figuras/figura.schema.json', import.meta.url)
await Bun.write(path, await format(JSON.stringify(figuraJsonSchema()), { parser: 'json', printWidth: 110 }))
console.log('figuras/figura.schema.json is written.')
