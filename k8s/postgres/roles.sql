-- Least privileges for an audit store in PostgreSQL, as an administrator of the database:
--
--   psql -v schema=pipeline -f k8s/postgres/roles.sql "$ADMIN_URL"
--
-- Run it before the first migration and again after each one: it makes what is missing, and grants
-- what the tables that are there need and nothing else. It makes three roles that cannot log in:
--
--   pipeline_owner    owns the tables: pipeline audit migrate
--   pipeline_writer   records runs, and cannot change what is recorded: pipeline exec
--   pipeline_reader   reads: pipeline sql, pipeline exec --dry-run, any other tool
--
-- Give each person and each program a user of its own:
--
--   CREATE ROLE migrator LOGIN PASSWORD '…' IN ROLE pipeline_owner;
--   ALTER ROLE migrator SET role = pipeline_owner;    -- what it makes belongs to the owner
--   CREATE ROLE job LOGIN PASSWORD '…' IN ROLE pipeline_writer;
--   CREATE ROLE analyst LOGIN PASSWORD '…' IN ROLE pipeline_reader;
--
-- and the store its place: postgresql://job@db/audit?schema=pipeline&sslmode=verify-full

\set ON_ERROR_STOP on
\if :{?schema}
\else
  \set schema pipeline
\endif

SET client_min_messages = warning;
BEGIN;

SELECT format('CREATE ROLE %I NOLOGIN', role)
FROM (VALUES ('pipeline_owner'), ('pipeline_writer'), ('pipeline_reader')) AS wanted (role)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role)
\gexec

-- An administrator who is no superuser acts for the owner below.
SELECT 'GRANT pipeline_owner TO CURRENT_USER' WHERE NOT pg_has_role('pipeline_owner', 'USAGE')
\gexec

GRANT CONNECT ON DATABASE :"DBNAME" TO pipeline_owner, pipeline_writer, pipeline_reader;
CREATE SCHEMA IF NOT EXISTS :"schema" AUTHORIZATION pipeline_owner;
GRANT USAGE ON SCHEMA :"schema" TO pipeline_writer, pipeline_reader;

-- What migrations add later is history: everyone reads it, writers add to it.
ALTER DEFAULT PRIVILEGES FOR ROLE pipeline_owner IN SCHEMA :"schema"
    GRANT SELECT ON TABLES TO pipeline_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE pipeline_owner IN SCHEMA :"schema"
    GRANT SELECT, INSERT ON TABLES TO pipeline_writer;

-- What is there: the same, but for the tables of which writers need more or less.
REVOKE ALL ON ALL TABLES IN SCHEMA :"schema" FROM pipeline_writer, pipeline_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA :"schema" TO pipeline_writer, pipeline_reader;

SELECT format('GRANT %s ON %I.%I TO pipeline_writer', coalesce(needs, 'INSERT'), nspname, relname)
FROM pg_class
INNER JOIN pg_namespace ON pg_namespace.oid = relnamespace
LEFT JOIN (VALUES
    ('migrations', NULL, false),
    ('leases', 'UPDATE', true),
    ('runs', 'INSERT, UPDATE (state, finished, error)', true),
    ('current', 'INSERT, UPDATE (version, run, published), DELETE', true)
) AS special (relname, needs, granted) USING (relname)
WHERE nspname = :'schema' AND relkind IN ('r', 'p') AND granted IS NOT FALSE
ORDER BY relname
\gexec

COMMIT;
