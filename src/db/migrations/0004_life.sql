-- The life of a job beyond a worker's hands: it can be cancelled, retried, held back, and has a time to end in.
alter table bulk.job
  -- the job that this one does again
  add column retry_of uuid,
  -- counted from the first claim; null: never claimed
  add column deadline_at timestamptz,
  -- why a try was put off, since when that goes on, and until when: {"reason", "detail", "since", "until"}. It is
  -- forgotten as soon as something of the job is done
  add column waiting jsonb,
  -- a job that was given up is told on the stream of dead letters, by whoever comes upon it
  add column dead_letter text check (dead_letter in ('due', 'sent'));

create index job_by_deadline on bulk.job (deadline_at) where status = 'processando';
create index job_dead_letter on bulk.job (finished_at) where dead_letter = 'due';

-- Figuras of which no job is begun.
create table bulk.pause (
  figura text primary key,
  at timestamptz not null default now(),
  -- who asked for it
  by text not null
);
