-- A large merge runs over several connections, each in a prepared transaction of its own (a part). What makes them
-- one is the decision in the job's row: without it all parts are rolled back, with it all are committed, by whoever
-- holds the job then.
alter table bulk.job
  -- how often a merge was begun; part of each part's name, so that those of an earlier try are known as such
  add column merge_try int not null default 0,
  -- the transaction ids of the parts that are to be committed, once that is decided
  add column decision text[];
