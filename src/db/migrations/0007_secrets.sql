-- The part of an address behind its "?" is a right to read the file (a presigned address): it is kept sealed, apart
-- from what may be shown, and wiped when the job ends.
alter table bulk.job
  add column secret bytea,
  -- such a part was there and is gone: the job cannot be sent again without its address
  add column had_secret boolean not null default false;

-- Whatever ends a job wipes it, in the same transaction. Jobs that were accepted before have the whole address in url.
create function bulk.wipe_secret() returns trigger language plpgsql as $$
begin
  new.secret := null;
  new.had_secret := true;
  new.url := split_part(new.url, '?', 1);
  new.urls := (
    select array_agg(split_part(one, '?', 1) order by no) from unnest(new.urls) with ordinality as address (one, no)
  );
  update bulk.file set url = split_part(url, '?', 1) where job = new.id and url like '%?%';
  return new;
end $$;

create trigger job_wipe before insert or update of status on bulk.job for each row
  when (
    new.status in ('completo', 'erro', 'cancelado')
    and (new.secret is not null or new.url like '%?%' or array_to_string(new.urls, ' ') like '%?%')
  )
  execute function bulk.wipe_secret();

-- the jobs that have ended already
update bulk.job set status = status
where status in ('completo', 'erro', 'cancelado')
  and (url like '%?%' or array_to_string(urls, ' ') like '%?%');
