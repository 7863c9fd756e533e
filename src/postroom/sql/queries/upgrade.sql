-- Upgrades: what must be the same before and after.

-- name: guards
-- Row security of every table of ours, and each policy, word by word.
select
  c.relname::text || ' ' || c.relrowsecurity || ' ' || c.relforcerowsecurity || ' ' || coalesce((
    select string_agg(concat_ws(' ', p.polname, p.polcmd, p.polpermissive,
      (select string_agg(r.rolname, ',' order by r.rolname) from pg_roles r where r.oid = any (p.polroles)),
      pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)), '; ' order by p.polname)
    from pg_policy p
    where p.polrelid = c.oid), '') as guard
from pg_class c
where c.relnamespace = 'public'::regnamespace
  and c.relkind in ('r', 'p')
  and c.relname like 'email%%'
order by c.relname

-- name: powers
-- What each login may do, and who it may become.
select concat_ws(' ', r.rolname, r.rolsuper, r.rolinherit, r.rolcreaterole, r.rolcreatedb, r.rolcanlogin, r.rolreplication,
  r.rolbypassrls, r.rolconnlimit, (
    select string_agg(g.rolname, ',' order by g.rolname)
    from pg_auth_members m
    join pg_roles g on g.oid = m.roleid
    where m.member = r.oid)) as power
from pg_roles r
where r.rolname like 'email%%'
order by r.rolname

-- name: grants
-- Owners have MAINTAIN from PostgreSQL 17 on.
select c.relname::text || ' ' || coalesce((
  select string_agg(item.word, ',' order by item.word)
  from (
    select concat_ws('=', case when a.grantee = 0 then 'public' else a.grantee::regrole::text end, a.privilege_type) as word
    from aclexplode(c.relacl) a
    where a.privilege_type <> 'MAINTAIN') item), '') as granted
from pg_class c
where c.relnamespace = 'public'::regnamespace
  and c.relname like 'email%%'
  and c.relkind in ('r', 'p', 'v', 'm', 'S')
order by c.relname

-- name: messages
-- A sum over the hashes of all messages: one that is another changes it.
select coalesce(sum(('x' || left(encode(content_hash, 'hex'), 15))::bit(60)::bigint), 0)::text as hashes
from email_messages

-- name: databases
select datname::text as name
from pg_database
where not datistemplate
  and datallowconn
order by datname

-- name: old_extensions
select e.extname::text as name
from pg_extension e
join pg_available_extensions a on a.name = e.extname
where a.default_version <> e.extversion

-- name: extensions
select extname::text as name
from pg_extension
order by extname

-- name: compressible
-- Columns whose values the server may have compressed.
select c.oid::regclass::text as table_name, quote_ident(a.attname) as column_name
from pg_attribute a
join pg_class c on c.oid = a.attrelid
where c.relkind in ('r', 'm')
  and c.relnamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
  and a.attnum > 0
  and not a.attisdropped
  and a.attlen = -1
  and a.attstorage in ('m', 'x')
order by c.relpages desc, 1, 2
