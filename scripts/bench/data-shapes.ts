import { CITIES, type DataColumn, NAMES, nullIn, pick, random } from './data-main.ts'

const ID: DataColumn = { name: 'id', type: 'bigint', sql: `(1000 + i * 3 + ${random('id')} % 3)::bigint` }

function decimal(salt: string, [precision, scale]: [number, number], digits: number): string {
  const whole = `(${random(salt)} % ${10 ** digits})::decimal(${Math.min(38, precision + scale)},${scale})`
  return `(${whole} / ${10 ** scale})::decimal(${precision},${scale})`
}

/** The same column over and over, by number. */
function several(
  count: number,
  make: (salt: string) => Omit<DataColumn, 'name'>,
  prefix: string,
): DataColumn[] {
  return Array.from({ length: count }, (_, at) => {
    const name = `${prefix}_${at + 1}`
    return { name, ...make(name) }
  })
}

const integer = (salt: string) => ({ type: 'integer', sql: `(${random(salt)} % 2000000)::integer - 1000000` })
const double = (salt: string) => ({
  type: 'double precision',
  sql: nullIn(10, salt, `(${random(salt)} % 1000003) / 9973.0::double`),
})
const money = (salt: string) => ({ type: 'numeric(15,2)', sql: decimal(salt, [15, 2], 11) })

export const WIDE_COLUMNS: DataColumn[] = [
  ID,
  ...several(30, integer, 'quantidade'),
  ...several(24, money, 'valor'),
  ...several(
    20,
    (salt) => ({ type: 'text', sql: nullIn(15, salt, pick([...NAMES, ...CITIES], salt)) }),
    'nome',
  ),
  ...several(11, double, 'indice'),
  ...several(
    10,
    (salt) => ({ type: 'date', sql: `date '1990-01-01' + (${random(salt)} % 12000)::integer` }),
    'dia',
  ),
  ...several(4, (salt) => ({ type: 'boolean', sql: nullIn(5, salt, `${random(salt)} % 2 = 0`) }), 'opcao'),
]

const WORDS =
  'a,ao,banco,cadastro,casa,conta,contrato,da,de,documento,em,empresa,entrega,fornecedor,história,lei,mais'
    .concat(',mercado,não,nota,o,pagamento,para,pedido,prazo,produto,que,região,serviço,também,valor,você')
    .split(',')

/** About 2 kB of words: between 270 and 400 of them. */
function prose(salt: string): string {
  const list = WORDS.map((word) => `'${word}'`).join(', ')
  const words = `list_transform(range((270 + ${random(`${salt} length`)} % 130)::bigint), n ->
    ([${list}])[1 + (${random(salt, 'n')} % ${WORDS.length})::integer])`
  return `array_to_string(${words}, ' ')`
}

export const TEXT_COLUMNS: DataColumn[] = [
  ID,
  { name: 'titulo', type: 'text', required: true, sql: `concat(${pick(NAMES, 'title')}, ' ', i)` },
  { name: 'corpo', type: 'text', sql: prose('body') },
  { name: 'resumo', type: 'text', sql: nullIn(50, 'summary', prose('summary')) },
  { name: 'idioma', type: 'char(2)', sql: pick(['pt', 'es', 'en'], 'language') },
]

export const NESTED_COLUMNS: DataColumn[] = [
  ID,
  {
    name: 'endereco',
    type: 'jsonb',
    sql: nullIn(
      5,
      'address',
      `{'cep': printf('%08d', (${random('zip')} % 100000000)::bigint), 'rua': ${pick(NAMES, 'street')},
        'numero': (${random('number')} % 3000)::integer, 'municipio': ${pick(CITIES, 'city')}}`,
    ),
    // jsonb orders its keys by length, then by bytes
    spelled: `concat('{"cep": ', to_json(endereco.cep), ', "rua": ', to_json(endereco.rua), ', "numero": ',
      to_json(endereco.numero), ', "municipio": ', to_json(endereco.municipio), '}')`,
  },
  {
    name: 'contatos',
    type: 'jsonb',
    sql: `list_transform(range((${random('contacts')} % 4)::bigint),
      n -> {'nome': concat('Contato ', n + i % 100), 'ramal': (${random('extension', 'n')} % 9000)::integer})`,
    spelled: `concat('[', array_to_string(list_transform(contatos,
      c -> concat('{"nome": ', to_json(c.nome), ', "ramal": ', to_json(c.ramal), '}')), ', '), ']')`,
  },
  {
    name: 'atributos',
    type: 'jsonb',
    sql: `map {'cor': ${pick(['azul', 'verde', 'cinza'], 'colour')}, 'origem': ${pick(CITIES, 'origin')}}`,
    spelled: `concat('{"cor": ', to_json(atributos['cor']), ', "origem": ', to_json(atributos['origem']), '}')`,
  },
  {
    name: 'etiquetas',
    type: 'text[]',
    sql: `list_transform(range((${random('tags')} % 5)::bigint),
      n -> concat('etiqueta-', (${random('tag', 'n')} % 500)::varchar))`,
  },
  {
    name: 'quantidades',
    type: 'integer[]',
    sql: nullIn(10, 'counts', `list_transform(range(8), n -> (${random('count', 'n')} % 100000)::integer)`),
  },
]

export const NUMBER_COLUMNS: DataColumn[] = [
  ID,
  ...several(8, money, 'valor'),
  ...several(6, (salt) => ({ type: 'numeric(20,6)', sql: decimal(salt, [20, 6], 15) }), 'taxa'),
  ...several(4, double, 'indice'),
  ...several(4, integer, 'quantidade'),
  ...several(2, (salt) => ({ type: 'numeric(30,4)', sql: decimal(salt, [30, 4], 18) }), 'saldo'),
  ...several(2, (salt) => ({ type: 'real', sql: `((${random(salt)} % 1000003) / 997.0)::float` }), 'fator'),
  ...several(2, (salt) => ({ type: 'smallint', sql: `(${random(salt)} % 30000)::smallint` }), 'grau'),
]
