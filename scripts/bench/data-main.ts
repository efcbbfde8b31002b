/**
 * A column of a file that the benchmark makes: its type in the figura, and the DuckDB expression that gives it, from
 * the row's number `i`, the `version` of the row (0, or 1 when it has changed) and the `seed`.
 */
export type DataColumn = {
  name: string
  type: string
  sql: string
  required?: boolean
  /** For jsonb: how PostgreSQL spells the value as text, as a DuckDB expression over the column of the file. */
  spelled?: string
}

/**
 * A pseudo-random number for the row, another for each `salt`, and for each value of `more`. Hashed twice: the lowest
 * bits of a hash of several values are alike from row to row, and a file of 2 kB texts packed to nothing.
 */
export function random(salt: string, more = '0'): string {
  return `hash(hash(i, seed, ${more}, '${salt}'))`
}

/** One of some texts, by chance. */
export function pick(texts: string[], salt: string): string {
  const list = texts.map((text) => `'${text}'`).join(', ')
  return `([${list}])[1 + (${random(salt)} % ${texts.length})::integer]`
}

/** Null in so many of a hundred rows. */
export function nullIn(percent: number, salt: string, sql: string): string {
  return `case when ${random(`${salt} is null`)} % 100 >= ${percent} then ${sql} end`
}

export const NAMES =
  'Aurora,Boa Vista,Cabral,Delta,Estrela,Fênix,Guimarães,Horizonte,Ipê,Jatobá,Kappa,Luzitânia'
    .concat(',Mantiqueira,Nogueira & Filhos,Oliveira,Progresso,Quatro Irmãos,Rio Claro,São João,Três Rios')
    .split(',')
const TRADES = [
  'Comércio de Alimentos',
  'Transportes Rodoviários',
  'Papelaria e Informática',
  'Engenharia',
  'Materiais de Construção',
  'Serviços Médicos',
  'Autopeças',
  'Distribuidora de Bebidas',
]
export const CITIES =
  'São Paulo,Rio de Janeiro,Belo Horizonte,Curitiba,Porto Alegre,Salvador,Recife,Fortaleza,Goiânia'
    .concat(',Belém,Manaus,Vitória,Natal,Cuiabá,Florianópolis,João Pessoa,Campinas,Uberlândia,Santos,Niterói')
    .split(',')
const STATES = 'SP,RJ,MG,PR,RS,BA,PE,CE,GO,PA,AM,ES,RN,MT,SC,PB'.split(',')
const NOTES = [
  'entrega somente pela manhã',
  'pagamento em 30 dias, boleto',
  'contrato renovado por mais doze meses',
  'aguarda documentos',
  'cliente antigo; conferir limite antes de liberar o pedido',
]

export const MAIN_COLUMNS: DataColumn[] = [
  { name: 'id', type: 'bigint', sql: `(1000 + i * 3 + ${random('id')} % 3)::bigint` },
  { name: 'codigo', type: 'uuid', sql: `md5(concat(i, ':', seed))::uuid` },
  {
    name: 'razao_social',
    type: 'text',
    required: true,
    sql: `concat(${pick(NAMES, 'name')}, ' ', ${pick(TRADES, 'trade')}, ' ', ${pick(['Ltda', 'S.A.', 'ME'], 'kind')})`,
  },
  { name: 'cnpj', type: 'text', sql: `printf('%014d', (${random('cnpj')} % 100000000000000)::bigint)` },
  { name: 'email', type: 'text', sql: nullIn(20, 'email', `concat('contato', i, '@exemplo.com.br')`) },
  { name: 'municipio', type: 'text', sql: pick(CITIES, 'city') },
  { name: 'uf', type: 'char(2)', sql: pick(STATES, 'state') },
  {
    name: 'limite_credito',
    type: 'numeric(15,2)',
    sql: `((${random('limit', 'version')} % 1000000000)::decimal(18,2) / 100)::decimal(15,2)`,
  },
  {
    name: 'score',
    type: 'double precision',
    sql: nullIn(10, 'score', `(${random('score')} % 1000003) / 9973.0::double`),
  },
  { name: 'ativo', type: 'boolean', sql: `${random('active')} % 5 > 0` },
  { name: 'fundado_em', type: 'date', sql: `date '1950-01-01' + (${random('founded')} % 27000)::integer` },
  {
    name: 'atualizado_em',
    type: 'timestamptz',
    sql: `make_timestamptz((1700000000000000 + version * 86400000000 + ${random('at')} % 60000000000000)::bigint)`,
  },
  { name: 'observacao', type: 'text', sql: nullIn(30, 'note', pick(NOTES, 'note')) },
]
