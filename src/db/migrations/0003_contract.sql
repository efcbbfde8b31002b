-- What a figura promises beyond types: modes, rows that are left out, trial runs, several files in one job.
alter table bulk.job
  -- null: the figura's own
  add column mode text check (mode in ('merge', 'append', 'insert', 'replace', 'delete')),
  -- a trial: nothing of it reaches the table
  add column dry_run text check (dry_run in ('schema', 'rows', 'impact')),
  -- the addresses of a job of several files, as they were when it was accepted; null: the one in url
  add column urls text[],
  add column format text check (format in ('parquet', 'avro', 'csv', 'ndjson')),
  -- rows left out so far, while the job runs
  add column rows_rejected bigint not null default 0,
  -- read = rejected + duplicates + staged; staged = inserted + updated + unchanged + stale + deleted
  add column rejected bigint,
  add column duplicates bigint,
  add column staged bigint,
  add column stale bigint,
  add column deleted bigint,
  -- rows of the table that the file did not have, in mode replace
  add column removed bigint,
  -- what a trial of the impact found; json, for jsonb would sort the columns
  add column impact json;

-- jsonb sorts the keys of an object, and rules are told in the order of the figura.
alter table bulk.contract alter column definition type json using definition::json;

-- A chunk is one of one file; `read` rows came from it, of which `rejected` were left out and `rows` staged.
alter table bulk.chunk
  add column file int not null default 0,
  -- of a file that is cut by its bytes: where the chunk begins and ends
  add column byte_start bigint,
  add column byte_end bigint,
  add column read bigint,
  add column rejected bigint;

-- The files of a job, as they were planned.
create table bulk.file (
  job uuid not null references bulk.job (id) on delete cascade,
  no int not null,
  url text not null,
  bytes bigint,
  etag text,
  rows bigint,
  row_groups int,
  primary key (job, no)
);

-- Rows that were left out, each with the first rule that it breaks; `faults` are all of them.
create table bulk.reject (
  job uuid not null references bulk.job (id) on delete cascade,
  stage int not null,
  file int not null,
  chunk int not null,
  -- in its file, from 1
  "row" bigint not null,
  column_name text,
  rule text not null,
  reason text not null,
  faults json not null,
  -- the row as it stands in the file, as far as the figura reads it; values that are sensitive are left out
  record json,
  at timestamptz not null default now(),
  primary key (job, file, "row")
);
create index reject_by_age on bulk.reject (at);
