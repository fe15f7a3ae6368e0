-- What the database lacks of its tenants: a row for each change, with the statements that make it,
-- in the order in which they are made. Nothing where all is as wanted. It only reads.
-- https://www.postgresql.org/docs/15/catalogs.html
with tenant as (
  select t.name, t.schema, t.row_policies, coalesce(t.row_level_security, true) as guarded,
         (select string_agg(quote_ident(x), ', ') from jsonb_array_elements_text(
            coalesce(t.search_path, jsonb_build_array(t.schema, 'public'))) as x) as search_path,
         r.oid as role, r.rolcanlogin, r.rolcreatedb, r.rolcreaterole,
         r.rolsuper or r.rolbypassrls or r.rolreplication as mighty,
         s.oid as namespace, s.nspowner, s.nspacl
  from (select name, coalesce(schema, name) as schema, search_path, row_level_security,
               row_policies from jsonb_to_recordset(%(tenants)s::jsonb) as x(
          name text, schema text, search_path jsonb, row_level_security bool,
          row_policies jsonb)) as t
  left join pg_roles as r on r.rolname = t.name
  left join pg_namespace as s on s.nspname = t.schema),
given as (
  select %(mark)s || ' ' || current_database() as mark,
         array(select jsonb_array_elements_text(%(adopt)s::jsonb)) as adopt,
         array(select jsonb_array_elements_text(%(data_loss)s::jsonb)) as data_loss,
         (select oid from pg_roles where rolname = current_user) as me),
own_table as (
  select t.*, c.oid as relation, c.relname, c.relrowsecurity and c.relforcerowsecurity as forced
  from tenant as t join pg_class as c on c.relnamespace = t.namespace cross join given
  where c.relkind in ('r', 'p') and c.relowner in (t.role, given.me) and t.guarded),
wanted_policy as (
  select o.*, p."column", p.setting, p."column" || ' = ' || p.setting as meaning
  from own_table as o cross join jsonb_to_recordset(o.row_policies) as p(
    "table" text, "column" text, setting text)
  where p."table" = o.relname),
live_policy as (
  select o.*, p.polname, obj_description(p.oid, 'pg_policy') as meaning
  from own_table as o join pg_policy as p on p.polrelid = o.relation),
change(step, key, action, statement) as (
  -- Roles. A same-named one of somebody else's is refused.
  select 10, 'role/' || name, 'create',
         format('CREATE ROLE %%I LOGIN NOCREATEDB NOCREATEROLE; COMMENT ON ROLE %%I IS %%L',
                name, name, mark)
  from tenant, given where role is null
  union all
  select 11, 'role/' || name, 'adopt', format('COMMENT ON ROLE %%I IS %%L', name, mark)
  from tenant, given
  where role is not null and shobj_description(role, 'pg_authid') is distinct from mark
  union all
  select 12, 'role/' || name, 'update', format('ALTER ROLE %%I LOGIN NOCREATEDB NOCREATEROLE', name)
  from tenant where role is not null and (not rolcanlogin or rolcreatedb or rolcreaterole)
  union all
  select 13, 'role/' || name, 'refuse', 'it is a superuser, or bypasses row-level security, or may '
         'replicate: take that away'
  from tenant where mighty
  union all
  -- Who is no superuser can make and change the objects of those roles only that it is a member of.
  select 20, 'role/' || name, 'update', format('GRANT %%I TO CURRENT_USER', name)
  from tenant, given
  where not exists (select from pg_auth_members where roleid = role and member = me)
  union all
  -- Schemas, each its tenant's own.
  select 30, 'schema/' || schema, 'create',
         format('CREATE SCHEMA %%I AUTHORIZATION %%I; COMMENT ON SCHEMA %%I IS %%L',
                schema, name, schema, mark)
  from tenant, given where namespace is null
  union all
  select 31, 'schema/' || schema, 'adopt', format('COMMENT ON SCHEMA %%I IS %%L', schema, mark)
  from tenant, given
  where namespace is not null
    and obj_description(namespace, 'pg_namespace') is distinct from mark
  union all
  select 32, 'schema/' || schema, 'update', format('ALTER SCHEMA %%I OWNER TO %%I', schema, name)
  from tenant where namespace is not null and nspowner is distinct from role
  union all
  -- Nobody else gets in.
  select 40, 'schema/' || t.schema, 'update', format('REVOKE ALL ON SCHEMA %%I FROM %%s', t.schema,
         coalesce(quote_ident(other.name), 'PUBLIC'))
  from tenant as t cross join lateral (select distinct grantee from aclexplode(t.nspacl)) as a
  left join tenant as other on other.role = a.grantee
  where a.grantee = 0 or other.role <> t.role
  union all
  select 41, 'role/' || t.name, 'update', format('REVOKE %%I FROM %%I', g.rolname, t.name)
  from tenant as t join pg_auth_members as m on m.member = t.role
  join pg_roles as g on g.oid = m.roleid cross join given
  where g.oid = me or g.oid in (select role from tenant)
     or g.rolname in ('pg_read_all_data', 'pg_write_all_data', 'rds_superuser')
  union all
  select 42, 'role/' || name, 'update', format(
         'ALTER DEFAULT PRIVILEGES FOR ROLE %%I REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC', name)
  from tenant where not exists (
    select from pg_default_acl where defaclrole = role and defaclnamespace = 0
      and defaclobjtype = 'f' and not exists (
        select from aclexplode(defaclacl) where grantee = 0))
  union all
  select 43, 'database/' || datname, 'update',
         format('REVOKE ALL ON DATABASE %%I FROM PUBLIC', datname)
  from pg_database where datname = current_database() and exists (
    select from aclexplode(coalesce(datacl, acldefault('d', datdba))) where grantee = 0)
  union all
  select 44, 'database/' || datname, 'update',
         format('GRANT CONNECT, TEMPORARY ON DATABASE %%I TO %%I', datname, t.name)
  from tenant as t cross join pg_database where datname = current_database() and (
    select count(*) from aclexplode(datacl) where grantee = t.role
      and privilege_type in ('CONNECT', 'TEMPORARY')) < 2
  union all
  select 45, 'schema/public', 'update', 'REVOKE CREATE ON SCHEMA public FROM PUBLIC'
  from pg_namespace where nspname = 'public' and exists (
    select from aclexplode(nspacl) where grantee = 0 and privilege_type = 'CREATE')
  union all
  -- Where names are looked for is said of the role: PgBouncer's clients share their sessions.
  select 50, 'role/' || t.name, 'update', format(
         'ALTER ROLE %%I IN DATABASE %%I SET search_path TO %%s',
         t.name, current_database(), t.search_path)
  from tenant as t where not exists (
    select from pg_db_role_setting join pg_database as d on d.oid = setdatabase
    where setrole = t.role and d.datname = current_database()
      and 'search_path=' || t.search_path = any(setconfig))
  union all
  -- Rows are the tenant's alone, whoever else is let at a table by mistake.
  select 60, 'table/' || schema || '.' || relname, 'update', format(
         'ALTER TABLE %%I.%%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', schema, relname)
  from own_table where not forced
  union all
  select 61, 'table/' || schema || '.' || relname, 'update', format(
         'CREATE POLICY groundwork_tenant ON %%I.%%I TO %%I USING (true)', schema, relname, name)
  from own_table as o where not exists (
    select from live_policy as l where l.relation = o.relation and polname = 'groundwork_tenant')
  union all
  select 62, 'table/' || schema || '.' || relname, 'update', format(
         'DROP POLICY groundwork_rows ON %%I.%%I', schema, relname)
  from live_policy as l where polname = 'groundwork_rows' and not exists (
    select from wanted_policy as w
    where w.relation = l.relation and w.meaning is not distinct from l.meaning)
  union all
  select 63, 'table/' || schema || '.' || relname, 'update', format(
         'CREATE POLICY groundwork_rows ON %%I.%%I AS RESTRICTIVE '
         'USING (%%I::text = current_setting(%%L, true)); '
         'COMMENT ON POLICY groundwork_rows ON %%I.%%I IS %%L',
         schema, relname, "column", setting, schema, relname, meaning)
  from wanted_policy as w where not exists (
    select from live_policy as l where l.relation = w.relation and polname = 'groundwork_rows'
      and l.meaning is not distinct from w.meaning)
  union all
  -- Left over: what carries the stack's mark and is no tenant's any more.
  select 70, 'schema/' || nspname, 'delete', format('DROP SCHEMA %%I CASCADE', nspname)
  from pg_namespace, given where obj_description(oid, 'pg_namespace') = mark
    and nspname not in (select schema from tenant)
  union all
  select 71, 'role/' || rolname, 'delete', format(
         'REASSIGN OWNED BY %%I TO CURRENT_USER; DROP OWNED BY %%I; DROP ROLE %%I',
         rolname, rolname, rolname)
  from pg_roles, given where shobj_description(oid, 'pg_authid') = mark
    and rolname not in (select name from tenant))
select 'postgres_tenancy/' || key as key,
       case when action = 'adopt' and not 'postgres_tenancy/' || key = any(adopt) then 'refuse'
            when action = 'delete' and not 'postgres_tenancy/' || key = any(data_loss)
            then 'left over' else action end as action,
       case when action = 'adopt' and not 'postgres_tenancy/' || key = any(adopt)
            then 'it is there, and not of this stack: adopt it by stack_adopt'
            else statement end as statement
from change cross join given order by step, key, statement
