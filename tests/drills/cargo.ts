import type { Dice } from '../../scripts/dice.ts'

/** What a figura of the drills does with its rows. `count` merges into a table whose trigger counts each write. */
export type Kind = 'merge' | 'append' | 'count' | 'replace'

/** A figura of the drills: its name is that of its table. */
export type Ware = { name: string; kind: Kind }

/** A file of the drills: so many rows with ids from `first` on; `no` is unique and stands in its rows. */
export type Cargo = { no: number; ware: Ware; first: number; rows: number }

export const KINDS: readonly Kind[] = ['merge', 'append', 'count', 'replace']

/** `each` figuras of every kind. */
export function waresOf(each: number): Ware[] {
  return KINDS.flatMap((kind) => Array.from({ length: each }, (_, no) => ({ name: `${kind}_${no}`, kind })))
}

/**
 * Mostly small files, which are loaded in one transaction; a quarter is staged in chunks and merged in parts. Ids
 * overlap, so that the order of two jobs shows.
 */
export function drawCargo(dice: Dice, no: number, wares: readonly Ware[]): Cargo {
  const rows = dice.chance(0.25) ? 6000 + dice.below(14_000) : 20 + dice.below(800)
  return { no, ware: dice.one(wares), first: dice.below(6000), rows }
}

/** The rows as a query of DuckDB: of every third id they are the same in all files. */
export function selectCargo({ no, first, rows }: Cargo): string {
  const writer = `case when i % 3 = 0 then 0 else ${no} end`
  return `select i::bigint as id, (${writer})::integer as carga, md5(i::varchar) as nome
    from range(${first}, ${first + rows}) t(i)`
}

/** Who wrote the row with that id. */
export function writerOf({ no }: Cargo, id: number): number {
  return id % 3 === 0 ? 0 : no
}

/** The figura file. */
export function figuraOf({ name, kind }: Ware, source: string): string {
  const load = {
    merge: '',
    count: '',
    append: 'load: { mode: append }\n',
    replace: 'load: { mode: replace, max_delete_percent: 100 }\n',
  }
  const columns =
    '  id: { type: bigint, required: true }\n  carga: { type: integer }\n  nome: { type: text }\n'
  const key = kind === 'append' ? '' : 'key: [id]\n'
  return `description: ${name}\ntable: public.${name}\n${key}columns:\n${columns}${load[kind]}sources: ['${source}']\n`
}

/** The table of a figura that counts, which must be there before the first load; else nothing. */
export function tableOf({ name, kind }: Ware): string {
  if (kind !== 'count') return ''
  return `
    create table ${name} (
      id bigint primary key, carga integer, nome text, n_effects integer not null default 0
    );
    create function ${name}_counts() returns trigger language plpgsql as $$
      begin
        new.n_effects := case when tg_op = 'INSERT' then 1 else old.n_effects + 1 end;
        return new;
      end $$;
    create trigger counts before insert or update on ${name} for each row execute function ${name}_counts();`
}
