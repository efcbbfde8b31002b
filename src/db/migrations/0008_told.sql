-- jsonb sorts the keys of an object, and what is told of a row has its columns in the order of the file.
alter table bulk.job alter column impact type json using impact::json;
alter table bulk.reject
  alter column faults type json using faults::json,
  alter column record type json using record::json;
