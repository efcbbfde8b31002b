// What suppliers.ts puts its records together from. Only data: the words of Brazilian trade, as a real ERP
// holds them.

/** Cities by state, and the offset of their clock from UTC. */
export const PLACES: { uf: string; zone: string; cities: string[] }[] = [
  { uf: 'AC', zone: '-05:00', cities: ['Rio Branco', 'Cruzeiro do Sul'] },
  { uf: 'AL', zone: '-03:00', cities: ['Maceió', 'Arapiraca'] },
  { uf: 'AM', zone: '-04:00', cities: ['Manaus', 'Parintins'] },
  { uf: 'AP', zone: '-03:00', cities: ['Macapá', 'Santana'] },
  { uf: 'BA', zone: '-03:00', cities: ['Salvador', 'Feira de Santana', 'Vitória da Conquista', 'Ilhéus'] },
  { uf: 'CE', zone: '-03:00', cities: ['Fortaleza', 'Juazeiro do Norte', 'Sobral'] },
  { uf: 'DF', zone: '-03:00', cities: ['Brasília', 'Taguatinga'] },
  { uf: 'ES', zone: '-03:00', cities: ['Vitória', 'Vila Velha', 'Cachoeiro de Itapemirim'] },
  { uf: 'GO', zone: '-03:00', cities: ['Goiânia', 'Anápolis', 'Aparecida de Goiânia'] },
  { uf: 'MA', zone: '-03:00', cities: ['São Luís', 'Imperatriz'] },
  { uf: 'MG', zone: '-03:00', cities: ['Belo Horizonte', 'Uberlândia', 'Juiz de Fora', 'Poços de Caldas'] },
  { uf: 'MS', zone: '-04:00', cities: ['Campo Grande', 'Três Lagoas'] },
  { uf: 'MT', zone: '-04:00', cities: ['Cuiabá', 'Rondonópolis', 'Sinop'] },
  { uf: 'PA', zone: '-03:00', cities: ['Belém', 'Santarém', 'Marabá'] },
  { uf: 'PB', zone: '-03:00', cities: ['João Pessoa', 'Campina Grande'] },
  { uf: 'PE', zone: '-03:00', cities: ['Recife', 'Jaboatão dos Guararapes', 'Caruaru'] },
  { uf: 'PI', zone: '-03:00', cities: ['Teresina', 'Parnaíba'] },
  { uf: 'PR', zone: '-03:00', cities: ['Curitiba', 'Londrina', 'Maringá', 'Foz do Iguaçu'] },
  { uf: 'RJ', zone: '-03:00', cities: ['Rio de Janeiro', 'Niterói', 'Nova Iguaçu', 'Petrópolis'] },
  { uf: 'RN', zone: '-03:00', cities: ['Natal', 'Mossoró', "Olho-d'Água do Borges"] },
  { uf: 'RO', zone: '-04:00', cities: ['Porto Velho', 'Ji-Paraná'] },
  { uf: 'RR', zone: '-04:00', cities: ['Boa Vista', 'Rorainópolis'] },
  { uf: 'RS', zone: '-03:00', cities: ['Porto Alegre', 'Caxias do Sul', 'Santa Maria', 'Bagé'] },
  { uf: 'SC', zone: '-03:00', cities: ['Florianópolis', 'Joinville', 'Blumenau', 'Chapecó'] },
  { uf: 'SE', zone: '-03:00', cities: ['Aracaju', 'Lagarto'] },
  {
    uf: 'SP',
    zone: '-03:00',
    cities: ['São Paulo', 'Campinas', 'Ribeirão Preto', 'São José dos Campos', 'Santos'],
  },
  { uf: 'TO', zone: '-03:00', cities: ['Palmas', 'Araguaína'] },
]

export const TRADES = [
  'Alimentação', 'Máquinas & Equipamentos', 'Distribuição', 'Construções', 'Comércio de Aço', 'Embalagens',
  'Logística', 'Confecções', 'Móveis', 'Papelaria', 'Química', 'Autopeças', 'Irrigação', 'Laticínios',
  'Cerâmica', 'Refrigeração', 'Informática', 'Panificação', 'Sementes & Grãos', 'Iluminação',
  'Manutenção Elétrica', 'Calçados',
] // prettier-ignore

export const SURNAMES = [
  'Araújo', 'Assunção', 'Brandão', 'Conceição', 'Gonçalves', 'Guimarães', 'Falcão', 'Lourenço', 'Magalhães',
  'Müller', 'Muñoz', 'Nóbrega', 'Patrício', 'Queirós', 'Simões', 'Sant’Anna', "D'Ávila", 'Tavares',
  'Vilaça', 'Yoshida', 'Zanotti', 'Ferreira', 'Oliveira', 'Souza',
] // prettier-ignore

export const FIRST_NAMES = [
  'Antônio', 'Beatriz', 'Cecília', 'Débora', 'Élcio', 'Flávia', 'Inês', 'João', 'José', 'Kátia', 'Luís',
  'Márcia', 'Natália', 'Otávio', 'Patrícia', 'Rogério', 'Sônia', 'Tomé', 'Úrsula', 'Verônica',
] // prettier-ignore

export const KINDS = ['Ltda.', 'S.A.', 'EIRELI', 'ME', '& Cia. Ltda.', '& Irmãos S/A', '& Filhos Ltda.']

export const BRANDS = [
  'Bom Preço',
  'São Jorge',
  'Ipê',
  'Açaí',
  'Maçã Verde',
  'Três Corações',
  'Pão & Mel',
  'Vovó Inácia',
]

/** Put behind some trade names: quotes, emoji of two and of seven code points, a decomposed accent, a tab. */
export const FLOURISHES = [
  ' "O Original"',
  ' 🇧🇷',
  ' 🚜',
  ' 👩🏽‍🌾',
  ' – 24 horas',
  ' (filial)',
  ' Cafe\u0301',
  '\tmatriz',
  ' \\ Sul',
]

export const STREETS = [
  'Rua das Acácias', 'Avenida Getúlio Vargas', 'Praça da Sé', 'Travessa São João', 'Rodovia BR-101, km',
  'Rua 15 de Novembro', 'Alameda dos Ipês', "Rua Olho-d'Água", 'Avenida Goiás', 'Estrada do Açude',
] // prettier-ignore

export const POSITIONS = ['Comercial', 'Financeiro', 'Diretoria', 'Logística', 'Emissão de NF-e']

export const TAGS = [
  'nacional',
  'importação',
  'p&d',
  'frágil, manter em pé',
  '"premium"',
  'orgânico',
  'licitação',
  '{sazonal}',
  'crítico',
  '',
]
