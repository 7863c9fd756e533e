-- Tune: settings as they are, and as they come to be. As an administrator.

-- name: settings
-- Those that a profile speaks of; the ones this version has not are left out.
select name, current_setting(name) as now, context, source, sourcefile, sourceline, pending_restart
from pg_settings
where name = any (%(names)s::text[])
order by name

-- name: segment
-- How large a file of the log is: min_wal_size must be two of them.
select setting::bigint as bytes
from pg_settings
where name = 'wal_segment_size'

-- name: standbys
-- Whether others copy this server, or it copies another: then some settings must be alike on both.
select pg_is_in_recovery()
    or exists (select from pg_stat_replication where application_name not in ('pg_basebackup', 'pg_receivewal'))
    or exists (select from pg_replication_slots where slot_type = 'physical' and not temporary) as has_standbys

-- name: not_allowed
-- Settings that this user may not write into the server's own file.
select name
from pg_settings
where name = any (%(names)s::text[])
  and not has_parameter_privilege(current_user, name, 'alter system')
order by name

-- name: may_reload
select has_function_privilege('pg_reload_conf()', 'execute') as is_allowed

-- name: written
-- What the server's own file holds by now. A superuser's question.
select name, setting
from pg_file_settings
where sourcefile like '%%postgresql.auto.conf'
  and name = any (%(names)s::text[])

-- name: overruled
-- Settings of a file that another line, which comes later, overrules. A superuser's question.
select distinct on (mine.name) mine.name, other.sourcefile as file, other.sourceline as line, other.setting
from pg_file_settings mine
join pg_file_settings other on other.name = mine.name and other.seqno > mine.seqno
where mine.sourcefile = %(file)s
  and other.setting is distinct from mine.setting
order by mine.name, other.seqno desc

-- name: reload
select pg_reload_conf() as is_done
