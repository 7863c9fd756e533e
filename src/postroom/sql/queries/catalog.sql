-- Catalog: which tables hold rows of tenants, asked of the server, so that the next table cannot be forgotten.

-- name: settings
-- Values look the same on every server. The pending list of the words' index is sorted in one round, and the transaction
-- may sit still while large objects go to a bucket or come from it.
select set_config('TimeZone', 'UTC', true), set_config('DateStyle', 'ISO, YMD', true),
  set_config('IntervalStyle', 'postgres', true), set_config('bytea_output', 'hex', true),
  set_config('extra_float_digits', '1', true), set_config('work_mem', '64MB', true),
  set_config('idle_in_transaction_session_timeout', '0', true)

-- name: schema_version
select max(version) as version
from email_schema_migrations

-- name: refresh_statistics
select email_refresh_statistics()

-- name: tables
-- Every table with a tenant_id, partitioned ones by their parent, with the statements that take its rows out, bring
-- them in, remove and count them. What says only where bytes lie here is left out or stands as for the database.
with found as (
  select c.oid, c.relname::text as name
  from pg_class c
  join pg_attribute t on t.attrelid = c.oid and t.attname = 'tenant_id' and t.attnum > 0 and not t.attisdropped
  where c.relnamespace = 'public'::regnamespace
    and c.relkind in ('r', 'p')
    and not c.relispartition
    and (%(with_jobs)s or c.relname <> 'email_sync_jobs')
), columns as (
  select f.oid,
    array_agg(a.attname::text order by a.attnum) as names,
    string_agg(quote_ident(a.attname), ', ' order by a.attnum) as listed,
    string_agg(case
      when f.name = 'email_attachments' and a.attname = 'storage_type' then '''blob'''
      when f.name = 'email_attachments' and a.attname = 'storage_path' then 'null'
      when f.name = 'email_accounts' and a.attname = 'credential_id' and not %(with_credentials)s then 'null'
      else quote_ident(a.attname) end, ', ' order by a.attnum) as given
  from found f
  join pg_attribute a on a.attrelid = f.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
  group by f.oid
), keys as (
  -- The same order on every server, whatever its locale.
  select f.oid,
    string_agg(quote_ident(a.attname), ', ' order by k.place) as listed,
    string_agg('t.' || quote_ident(a.attname) || ' = g.' || quote_ident(a.attname), ' and ' order by k.place) as same,
    string_agg(quote_ident(a.attname) || case when a.attcollation not in (0, 950) then ' collate "C"' else '' end, ', '
      order by k.place) as ordered
  from found f
  join pg_index i on i.indrelid = f.oid and i.indisprimary
  cross join unnest(i.indkey::int2[]) with ordinality k (number, place)
  join pg_attribute a on a.attrelid = f.oid and a.attnum = k.number
  group by f.oid
)
select f.name, c.names as columns,
  array(select distinct r.relname::text from pg_constraint x join pg_class r on r.oid = x.confrelid
    where x.conrelid = f.oid and x.contype = 'f' and x.confrelid <> f.oid) as parents,
  'copy (select ' || c.given || ' from public.' || quote_ident(f.name) || ' where tenant_id = %%(tenant_id)s order by '
    || k.ordered || ') to stdout (format csv, encoding ''utf8'')' as copy_out,
  -- COPY does not write where row security holds. So the rows come into a table that nobody sees and that is gone
  -- before the transaction ends, and from there under the eyes of row security.
  'create unlogged table public.' || i.staging || ' as select ' || c.listed || ' from public.' || quote_ident(f.name)
    || ' with no data' as stage,
  'copy public.' || i.staging || ' (' || c.listed || ') from stdin (format csv, encoding ''utf8'')' as copy_in,
  case when f.name = 'email_audit_log' then 'select public.email_audit_month(came.month) from (select distinct'
    || ' date_trunc(''month'', to_timestamp(at / 1000.0) at time zone ''UTC'')::date as month from public.' || i.staging
    || ') came' end as make_room,
  'insert into public.' || quote_ident(f.name) || ' (' || c.listed || ') overriding system value select ' || c.listed
    || ' from public.' || i.staging as bring_in,
  'drop table public.' || i.staging as unstage,
  'with gone as materialized (select ' || k.listed || ' from public.' || quote_ident(f.name)
    || ' where tenant_id = %%(tenant_id)s order by ' || k.listed || ' limit %%(limit)s) delete from public.'
    || quote_ident(f.name) || ' t using gone g where t.tenant_id = %%(tenant_id)s and ' || k.same as remove,
  'select count(*) as found from public.' || quote_ident(f.name) || ' where tenant_id = %%(tenant_id)s' as count
from found f
join columns c on c.oid = f.oid
cross join (select 'email_arriving_' || replace(%(tenant_id)s::uuid::text, '-', '') as staging) i
left join keys k on k.oid = f.oid
order by f.name
