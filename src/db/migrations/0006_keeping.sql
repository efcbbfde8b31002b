-- What is kept for how long, and what is left behind.

-- Requests that may be sent again, by the key that their caller gave them. Of the body only its SHA-256 stands here:
-- an address in it may hold a secret.
create table bulk.idempotency (
  -- the id of an API key; empty: nobody in particular
  caller text not null,
  figura text not null,
  key text not null,
  body text not null,
  job uuid not null references bulk.job (id) on delete cascade,
  at timestamptz not null default now(),
  primary key (caller, figura, key)
);
create index idempotency_by_age on bulk.idempotency (at);
create index idempotency_by_job on bulk.idempotency (job);

-- jobs whose time is over, and contracts that no job refers to any more
create index job_by_end on bulk.job (finished_at) where finished_at is not null;
create index job_by_contract on bulk.job (contract);

-- merges that are decided, and have to be finished by whoever comes first
create index job_decided on bulk.job (lease_until) where decision is not null and status = 'processando';
