//! A pipeline that has published, failed, cleaned up and published again, on each kind of audit
//! store; and copies of it to be tampered with.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::RwLock;

use chrono::Utc;
use pipeline::audit::AuditStore;
use tempfile::TempDir;
use tokio_postgres::{NoTls, SimpleQueryMessage};

use crate::common::{Project, Seen, seen};

/// A row of text, NULL as none.
pub(crate) type Row = Vec<Option<String>>;

/// A place where statements run.
#[derive(Debug, Clone)]
pub(crate) enum Database {
    Sqlite(PathBuf),
    Postgres(String),
}

impl Database {
    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// What `--audit` takes.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite(path) => path.display().to_string(),
            Self::Postgres(url) => url.clone(),
        }
    }

    /// Runs statements behind the store's back, whatever rules the tables have; the rows as text.
    pub(crate) fn query(&self, sql: &str) -> Vec<Row> {
        match self {
            Self::Sqlite(path) => {
                let connection = rusqlite::Connection::open(path).expect("a database");
                connection
                    .execute_batch(
                        "PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON;",
                    )
                    .expect("settings");
                let mut statement = connection.prepare(sql).expect(sql);
                let width = statement.column_count();
                let text = |row: &rusqlite::Row<'_>, i| match row.get(i) {
                    Ok(rusqlite::types::Value::Null) => None,
                    Ok(rusqlite::types::Value::Integer(number)) => Some(number.to_string()),
                    Ok(rusqlite::types::Value::Real(number)) => Some(format!("{number:?}")),
                    Ok(rusqlite::types::Value::Text(text)) => Some(text),
                    other => panic!("{other:?}"),
                };
                let rows =
                    statement.query_map([], |row| Ok((0..width).map(|i| text(row, i)).collect()));
                rows.expect(sql).map(|row| row.expect(sql)).collect()
            }
            Self::Postgres(url) => blocking(async {
                let (client, connection) =
                    tokio_postgres::connect(url, NoTls).await.expect("a server");
                let connection = tokio::spawn(connection);
                let messages =
                    client.simple_query(sql).await.unwrap_or_else(|e| panic!("{sql}: {e:?}"));
                drop(client);
                // A database with a connection cannot be copied.
                connection.await.expect("a task").expect("a connection");
                let row = |message: SimpleQueryMessage| match message {
                    SimpleQueryMessage::Row(row) => {
                        Some((0..row.len()).map(|i| row.get(i).map(str::to_owned)).collect())
                    }
                    _ => None,
                };
                messages.into_iter().filter_map(row).collect()
            }),
        }
    }

    pub(crate) fn value(&self, sql: &str) -> String {
        self.query(sql)[0][0].clone().expect("a value")
    }

    /// Opens it as the program does, to read.
    pub(crate) async fn open(&self) -> AuditStore {
        let opened = match self {
            Self::Sqlite(path) => AuditStore::open_sqlite_to_read(path).await,
            Self::Postgres(url) => AuditStore::open_postgres_to_read(url).await,
        };
        opened.expect("a store")
    }
}

pub(crate) fn blocking<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(work)
}

/// The pipeline and its store.
pub(crate) struct World {
    pub(crate) project: Project,
    pub(crate) database: Database,
    /// The store after the first publish.
    pub(crate) old: Database,
    /// The head after the first publish.
    pub(crate) old_head: Vec<u8>,
    /// Held to write by whoever changes files in place.
    files: RwLock<()>,
    server: Option<String>,
}

/// A copy of a world: its store, and the warehouse to verify it with.
pub(crate) struct Copy<'a> {
    world: &'a World,
    pub(crate) database: Database,
    pub(crate) warehouse: PathBuf,
    folder: Option<TempDir>,
}

impl World {
    pub(crate) fn on_sqlite() -> Self {
        let project = pipeline();
        let database = Database::Sqlite(project.path("warehouse/audit.db"));
        let old = Database::Sqlite(project.path("old.db"));
        Self::live(project, database, old, None)
    }

    pub(crate) fn on_postgres() -> Self {
        let server = std::env::var("PIPELINE_TEST_POSTGRES").unwrap_or_else(|_| {
            panic!("PIPELINE_TEST_POSTGRES is not set: run tests/run, which starts a private PostgreSQL")
        });
        let name = format!("verify_{}", Utc::now().timestamp_micros());
        let at = |name: &str| {
            let (server, _) = server.rsplit_once('/').expect("a database in the URL");
            Database::Postgres(format!("{server}/{name}"))
        };
        let (database, old) = (at(&name), at(&format!("{name}_old")));
        Database::Postgres(server.clone()).query(&format!("CREATE DATABASE {name}"));
        Self::live(pipeline(), database, old, Some(server))
    }

    /// Publishes, fails, collects the garbage of the failure, publishes something else.
    fn live(project: Project, database: Database, old: Database, server: Option<String>) -> Self {
        let mut world =
            Self { project, database, old, old_head: vec![], files: RwLock::new(()), server };
        world.run(&["exec", "sql"], 0);
        world.old_head = fs::read(world.project.path("warehouse").join(HEAD)).expect("a head");
        match (&world.database, &world.old) {
            (Database::Sqlite(from), Database::Sqlite(to)) => {
                assert!(fs::copy(from, to).expect("a copy") > 0)
            }
            _ => world.copy_database(&world.old),
        }
        world.run(&["exec", "sql", "--param", "least=1000", "--param", "factor=5"], 1);
        world.run(&["gc", "--grace", "0s"], 0);
        let view = fs::read_to_string(world.project.path(VIEW)).expect("a script");
        world.project.file(VIEW, view.replace("bytes * 2", "bytes * 3"));
        world.run(&["exec", "sql"], 0);
        world
    }

    fn run(&self, arguments: &[&str], code: i32) -> Seen {
        let settings = ["--config", "sql/pipeline.toml", "--audit", &self.database.url()];
        let seen = self.project.run(&[arguments, &settings].concat());
        assert_eq!(seen.code, code, "{arguments:?}\n{}{}", seen.stdout, seen.stderr);
        seen
    }

    /// Makes a copy to be changed. A PostgreSQL store belongs to the one warehouse: that is not
    /// copied.
    pub(crate) fn copy(&self, number: usize) -> Copy<'_> {
        match &self.database {
            Database::Sqlite(_) => {
                let folder = TempDir::new().expect("a temporary folder");
                let warehouse = folder.path().join("warehouse");
                copy_folder(&self.project.path("warehouse"), &warehouse);
                let database = Database::Sqlite(warehouse.join("audit.db"));
                Copy { world: self, database, warehouse, folder: Some(folder) }
            }
            Database::Postgres(url) => {
                let database = Database::Postgres(format!("{url}_{number}"));
                self.copy_database(&database);
                let warehouse = self.project.path("warehouse");
                Copy { world: self, database, warehouse, folder: None }
            }
        }
    }

    fn copy_database(&self, to: &Database) {
        let server = self.server.clone().expect("a server");
        let sql = format!("CREATE DATABASE {} TEMPLATE {}", name(to), name(&self.database));
        Database::Postgres(server).query(&sql);
    }

    fn drop_database(&self, database: &Database) {
        if let Some(server) = &self.server {
            let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", name(database));
            Database::Postgres(server.clone()).query(&sql);
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.drop_database(&self.old);
        self.drop_database(&self.database);
    }
}

/// The name of a PostgreSQL database.
fn name(database: &Database) -> String {
    database.url().rsplit_once('/').expect("a database in the URL").1.to_owned()
}

impl Copy<'_> {
    /// Takes away the rules of the tables, which somebody with the rights of an owner can do too.
    pub(crate) fn without_rules(&self) -> &Self {
        if self.database.is_postgres() {
            self.database.query(
                "DO $$ DECLARE rule record; BEGIN
                    FOR rule IN SELECT conrelid::regclass AS owner, conname FROM pg_constraint
                        WHERE contype IN ('c', 'f') AND connamespace = current_schema()::regnamespace
                    LOOP
                        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', rule.owner, rule.conname);
                    END LOOP;
                END $$",
            );
        }
        self
    }

    /// Runs the program's verification.
    pub(crate) fn verify(&self, arguments: &[&str]) -> Seen {
        let _reading = self.world.files.read().expect("a lock");
        self.verify_store(&self.database, arguments)
    }

    /// Verifies the warehouse against another store, which is put in the place of the copy's.
    pub(crate) fn verify_against(&self, other: &Database) -> Seen {
        let _reading = self.world.files.read().expect("a lock");
        match (other, &self.database) {
            (Database::Sqlite(from), Database::Sqlite(to)) => {
                fs::copy(from, to).expect("a copy");
                self.verify_store(&self.database, &[])
            }
            _ => self.verify_store(other, &[]),
        }
    }

    fn verify_store(&self, database: &Database, arguments: &[&str]) -> Seen {
        let (audit, warehouse) = (database.url(), self.warehouse.display().to_string());
        let settings = ["audit", "verify", "--warehouse", &warehouse, "--audit", &audit];
        let mut command = self.world.project.command(&[&settings, arguments].concat());
        seen(&command.output().expect("the program starts"))
    }

    /// Verifies with other content in a file of the warehouse; none removes it.
    pub(crate) fn verify_with(
        &self,
        file: &str,
        content: impl FnOnce(&[u8]) -> Option<Vec<u8>>,
    ) -> Seen {
        let _alone = self.world.files.write().expect("a lock");
        let path = self.warehouse.join(file);
        let before = fs::read(&path).expect("a file");
        match content(&before) {
            Some(content) => fs::write(&path, content).expect("a changed file"),
            None => fs::remove_file(&path).expect("a removed file"),
        }
        let seen = self.verify_store(&self.database, &[]);
        fs::write(&path, before).expect("the file as it was");
        seen
    }
}

impl Drop for Copy<'_> {
    fn drop(&mut self) {
        if self.folder.is_none() {
            self.world.drop_database(&self.database);
        }
    }
}

/// The head below the warehouse.
pub(crate) const HEAD: &str = "_audit/head.json";
const VIEW: &str = "sql/2_transformation/1_flows.sql";

/// Small, and with rows in every table of the store.
fn pipeline() -> Project {
    let project = Project::new();
    project.file(
        "sql/pipeline.toml",
        "warehouse = \"../warehouse\"\n[params]\nleast = 1\nfactor = 1\n[sources.events]\nlocation = \"../events.csv\"\n",
    );
    project.file("events.csv", "id,bytes\n1,10\n2,20\n3,30\n");
    project.file(
        "sql/1_ingestion/1_events.sql",
        "CREATE OR REPLACE TABLE raw.events AS SELECT id, bytes FROM landing.events;
         INSERT INTO raw.events SELECT id + 100 AS id, bytes FROM landing.events;\n",
    );
    project.file(
        VIEW,
        "CREATE OR REPLACE VIEW silver.features AS SELECT id, bytes * 2 AS b FROM raw.events;
         CREATE OR REPLACE TABLE silver.flows AS SELECT id, b * $factor AS b FROM silver.features;
         ASSERT (SELECT count(*) FROM silver.flows) > $least AS 'too few flows';\n",
    );
    project.file(
        "sql/3_training/1_model.sql",
        "CREATE OR REPLACE TABLE models.top AS SELECT max(b) AS top FROM silver.flows;\n",
    );
    project.file(
        "sql/4_evaluation/1_metrics.sql",
        "CREATE OR REPLACE TABLE eval.metrics AS
         SELECT 'top' AS metric, CAST(top AS DOUBLE) / 7 AS value FROM models.top;\n",
    );
    project
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a new folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        match entry.file_type().expect("a type").is_dir() {
            true => copy_folder(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).expect("a copy")),
        }
    }
}
