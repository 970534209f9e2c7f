# Users who log in, each with one of the roles of roles.sql. Run once, when the server is set up.
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
    --set migrate="$MIGRATE_PASSWORD" --set run="$RUN_PASSWORD" --set read="$READ_PASSWORD" <<'SQL'
CREATE ROLE migrate LOGIN PASSWORD :'migrate' IN ROLE pipeline_owner;
CREATE ROLE run LOGIN PASSWORD :'run' IN ROLE pipeline_writer;
CREATE ROLE read LOGIN PASSWORD :'read' IN ROLE pipeline_reader;
SQL
