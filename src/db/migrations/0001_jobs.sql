-- Everything the service keeps for itself stands in two schemas: bulk (its records) and bulk_stage (rows on their
-- way).
create schema if not exists bulk_stage;

-- The figura as it was when a job was accepted under it, once per version: a job is loaded by that contract on any
-- node, whatever the node's own folder of figuras holds by then.
create table bulk.contract (
  hash text primary key,
  figura text not null,
  definition jsonb not null,
  created_at timestamptz not null default now()
);

-- A row here is the truth about a job; a NATS message is only a doorbell.
create table bulk.job (
  id uuid primary key,
  -- the order of acceptance: jobs of one figura merge in this order
  seq bigint generated always as identity,
  figura text not null,
  contract text not null references bulk.contract (hash),
  status text not null default 'enfileirado'
    check (status in ('enfileirado', 'processando', 'completo', 'erro', 'cancelado')),
  phase text check (phase in ('plan', 'stage', 'wait', 'merge')),
  url text not null,
  sha256 text,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz,

  -- claims so far, counted before a byte of the file is read: a file that kills its reader cannot do so for ever
  attempts int not null default 0,
  -- who claims the job while this lies ahead, is refused; all clocks here are PostgreSQL's
  lease_until timestamptz not null default now(),
  -- when the doorbell is rung anew if nothing has moved, and how often it was rung. The count is part of the
  -- message's id, since JetStream swallows an id that it has seen for the whole window, even after the ack
  ring_at timestamptz not null default now() + interval '10 seconds',
  ring int not null default 0,

  -- the plan: number of the stage (the attempt that made it), and the file as it was seen then
  stage int,
  bytes bigint,
  rows bigint,
  row_groups int,
  etag text,
  chunks_total int not null default 0,
  chunks_done int not null default 0,
  rows_done bigint not null default 0,
  -- chunks of work that stage nothing: the look at the keys, the SHA-256 of the file
  checks_total int not null default 0,
  checks_done int not null default 0,

  read bigint,
  inserted bigint,
  updated bigint,
  unchanged bigint,
  plan_ms int,
  stage_ms int,
  merge_ms int,
  staging_at timestamptz,
  error jsonb
);

create index job_by_figura on bulk.job (figura, id desc);
create index job_by_figura_status on bulk.job (figura, status, id desc);
-- live jobs are few however long the history grows: what the order of merges and the sweeper ask, they ask of these
create index job_live on bulk.job (figura, seq) where status in ('enfileirado', 'processando');
create index job_to_ring on bulk.job (ring_at) where status in ('enfileirado', 'processando');

create table bulk.job_log (
  id bigint generated always as identity primary key,
  job uuid not null references bulk.job (id) on delete cascade,
  at timestamptz not null default clock_timestamp(),
  level text not null check (level in ('info', 'warn', 'error')),
  node text not null,
  thread int,
  attempt int not null,
  phase text,
  message text not null,
  ms int,
  data jsonb
);
create index job_log_by_job on bulk.job_log (job, id);

-- Pieces of a stage. UNLOGGED like the stage itself: a crash of PostgreSQL that empties the stage empties the marks
-- too, so that an emptied stage can never pass for a full one.
create unlogged table bulk.chunk (
  job uuid not null,
  stage int not null,
  no int not null,
  kind text not null check (kind in ('rows', 'keys', 'digest')),
  row_start bigint not null,
  row_end bigint not null,
  -- may stand in the queue; at most a bounded number per job does
  released boolean not null default false,
  claims int not null default 0,
  held_by text,
  held_until timestamptz,
  -- the mark: set in the transaction that stages the rows
  done_at timestamptz,
  rows bigint,
  primary key (job, stage, no)
);
