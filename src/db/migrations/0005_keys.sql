-- Who may call. Of a key only the digest of its secret is kept: 256 random bits are not found by trying.
create table bulk.api_key (
  id text primary key,
  name text not null,
  hash bytea not null check (octet_length(hash) = 32),
  -- {"fornecedores": ["submit", "read"], "*": ["read"]}
  grants jsonb not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  -- rows stay: jobs name the key that they came by
  revoked_at timestamptz
);

alter table bulk.job
  -- the key that the job came by; null: the service asked for none
  add column caller text;

-- how many live jobs a key has is asked when it sends another
create index job_live_by_caller on bulk.job (caller)
  where caller is not null and status in ('enfileirado', 'processando');
