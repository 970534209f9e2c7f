# Users who log in, each with one of the roles of roles.sql. Run once, when the server is set up.
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
    --set migrator="$MIGRATOR_PASSWORD" --set job="$JOB_PASSWORD" --set analyst="$ANALYST_PASSWORD" <<'SQL'
CREATE ROLE migrator LOGIN PASSWORD :'migrator' IN ROLE pipeline_owner;
ALTER ROLE migrator SET role = pipeline_owner;
CREATE ROLE job LOGIN PASSWORD :'job' IN ROLE pipeline_writer;
CREATE ROLE analyst LOGIN PASSWORD :'analyst' IN ROLE pipeline_reader;
SQL
