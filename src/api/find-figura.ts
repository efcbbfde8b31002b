import { NotFoundError } from 'elysia'
import { BulkError } from '../errors.ts'
import { type Figuras, type LoadedFigura, RESERVED_NAMES } from '../figura/load.ts'
import { nearest } from '../figura/nearest.ts'

/** A figura that can be loaded into. */
export type ServedFigura = Extract<LoadedFigura, { hash: string }>

/**
 * The figura of that name, as its file has it now.
 * @throws BulkError figura_unknown, figura_broken; NotFoundError for a name that is an address of the API's
 * own
 */
export function findFigura(figuras: Figuras, name: string): ServedFigura {
  const loaded = figuras.get(name)
  if (!loaded) throw figuraUnknown(figuras, name)
  if (loaded.errors) throw figuraBroken(loaded)
  return loaded
}

/** What to say of a name that no figura has: the one that was probably meant, and those that are served. */
export function figuraUnknown(figuras: Figuras, name: string): BulkError | NotFoundError {
  if (RESERVED_NAMES.includes(name)) return new NotFoundError()
  const served = figuras
    .list()
    .filter((loaded) => loaded.figura)
    .map((loaded) => loaded.name)
  const meant = nearest(String(name).toLowerCase(), served)
  const action = meant ? `Did you mean ${meant}? GET /figuras lists the figuras that are served.` : undefined
  return new BulkError(
    'figura_unknown',
    {
      subject: 'The figura',
      found: JSON.stringify(name),
      expected: `one of ${served.join(', ') || 'none yet'}`,
      action,
    },
    { nearest: meant ?? null, figuras: served },
  )
}

function figuraBroken({ name, errors }: { name: string; errors: object[] }): BulkError {
  const found = errors.length === 1 ? 'an error' : `${errors.length} errors`
  return new BulkError(
    'figura_broken',
    { subject: `The figura ${name}`, found: `${found} in its file`, expected: 'none' },
    { errors },
  )
}
