//! What only PostgreSQL can get wrong.

use pipeline::audit::AuditStore;
use pipeline::error::{Error, ErrorKind};

use tokio_postgres::{NoTls, SimpleQueryMessage};

use crate::common::postgres::announced;
use crate::fixture::{Fixture, server_url, with_pooler, with_postgres};
use crate::samples::run;

const PASSWORD: &str = "hunter2-very-secret";

/// The error of opening `url`, which must not tell the password.
async fn refusal(url: &str) -> Error {
    let error = AuditStore::open_postgres(url).await.unwrap_err();
    for shown in [error.to_string(), format!("{error:?}"), error.report()] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    error
}

#[tokio::test]
async fn an_unreachable_server_is_an_io_error_without_the_password() {
    let error = refusal(&format!("postgresql://me:{PASSWORD}@127.0.0.1:1/audit")).await;
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.report().contains("postgresql://127.0.0.1:1/audit"), "{}", error.report());
}

#[tokio::test]
async fn a_refused_password_is_a_configuration_error() {
    let (_, host) =
        server_url().split_once('@').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let error = refusal(&format!("postgresql://pipeline:{PASSWORD}@{host}")).await;
    assert_eq!(error.kind(), ErrorKind::Configuration, "{}", error.report());
    let error = refusal(&format!("postgresql://pipeline@{host}?application_name=hunted")).await;
    assert_eq!(error.kind(), ErrorKind::Configuration, "{}", error.report());
}

#[tokio::test]
async fn a_missing_database_or_schema_is_a_configuration_error() {
    let server = server_url();
    let (server, _) = server.rsplit_once('/').unwrap();
    let error = refusal(&format!("{server}/nowhere")).await;
    assert_eq!(error.kind(), ErrorKind::Configuration, "{}", error.report());
    assert!(error.message().contains("no such database"), "{error}");

    let error = refusal(&format!("{}?options=-csearch_path%3Dnowhere", server_url())).await;
    assert_eq!(error.kind(), ErrorKind::Configuration, "{}", error.report());
    assert!(error.hint().unwrap().contains("search_path"));
}

#[tokio::test]
async fn a_malformed_url_is_a_configuration_error() {
    for url in [
        format!("postgresql://me:{PASSWORD}@host:port/audit"),
        format!("postgresql://me:not@{PASSWORD}@host/audit"),
        format!("host=localhost {PASSWORD}"),
        format!("postgresql://me:{PASSWORD}@host/audit?sslmode=perhaps"),
        format!("postgresql://me:{PASSWORD}@host/audit?statement_timeout=soon"),
        format!("postgresql://me:{PASSWORD}@host/audit?reconnect_deadline=-1"),
        format!("postgresql://me:{PASSWORD}@host/audit?schema="),
        format!("postgresql://me:not?{PASSWORD}=1@host/audit?{PASSWORD}=1"),
        format!("host=localhost password=half a={PASSWORD}"),
    ] {
        assert_eq!(refusal(&url).await.kind(), ErrorKind::Configuration, "{url}");
    }
}

#[tokio::test]
async fn a_schema_is_made_by_who_may_and_asked_for_by_who_may_not() {
    with_postgres(async |fixture: Fixture| {
        let Fixture::Postgres { schema, .. } = &fixture else { unreachable!() };
        // It ends with the test's own schema, which a user of that name may not leave.
        let name = format!("My \"{schema}\"; DROP");
        let quoted = name.replace('"', "\"\"");
        let encoded = name.replace(' ', "%20").replace('"', "%22").replace(';', "%3B");
        let server = server_url();
        let url = format!("{server}?schema={encoded}");

        let missing = AuditStore::open_postgres_to_read(&url).await.unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::Configuration, "{}", missing.report());
        assert!(missing.hint().unwrap().contains(&format!("CREATE SCHEMA \"{quoted}\"")));

        let user = format!("{schema}_user");
        fixture.query(&format!("CREATE ROLE {user} LOGIN PASSWORD '{PASSWORD}'")).await;
        let (_, address) = url.split_once('@').unwrap();
        let theirs = format!("postgresql://{user}:{PASSWORD}@{address}");
        let denied = refusal(&theirs).await;
        assert_eq!(denied.kind(), ErrorKind::Configuration, "{}", denied.report());
        assert_eq!(denied.message(), missing.message());

        let store = AuditStore::open_postgres(&url).await.unwrap();
        store.begin_run(&run("r1"), &[]).await.unwrap();
        let hidden = refusal(&theirs).await;
        assert!(hidden.message().contains("denies access"), "{}", hidden.report());
        assert!(hidden.hint().unwrap().contains("GRANT USAGE"), "{}", hidden.report());
        let other = fixture.open().await;
        assert!(other.read("runs").await.unwrap().rows.is_empty());
        fixture.query(&format!("DROP SCHEMA \"{quoted}\" CASCADE; DROP ROLE {user}")).await;
    })
    .await;
}

/// Neither a statement nor the wait for a lock is for ever.
#[tokio::test]
async fn a_statement_is_cancelled_in_time() {
    with_postgres(async |fixture: Fixture| {
        let patient = fixture.open().await;
        let hasty = format!("{}&statement_timeout=200ms", fixture.url());
        let hasty = AuditStore::open_postgres(&hasty).await.unwrap();
        let other = fixture.connect().await;
        other.batch_execute("BEGIN; LOCK TABLE runs").await.unwrap();
        for failed in [
            hasty.begin_run(&run("r1"), &[]).await.unwrap_err(),
            hasty.read("runs").await.unwrap_err(),
        ] {
            assert_eq!(failed.kind(), ErrorKind::Io, "{}", failed.report());
            assert!(failed.message().contains("took too long"), "{}", failed.report());
            assert!(failed.hint().unwrap().contains("statement_timeout"), "{}", failed.report());
        }
        other.batch_execute("COMMIT").await.unwrap();
        hasty.begin_run(&run("r1"), &[]).await.unwrap();
        assert_eq!(patient.read("runs").await.unwrap().rows.len(), 1);
    })
    .await;
}

/// The settings of a transaction end with it: a pooler gives the connection to others.
#[tokio::test]
async fn nothing_is_left_in_the_connection() {
    with_pooler(async |fixture: Fixture| {
        let store = fixture.open().await;
        store.begin_run(&run("r1"), &[]).await.unwrap();
        store.read("runs").await.unwrap();
        let pooler = announced("PIPELINE_TEST_PGBOUNCER");
        let (client, connection) = tokio_postgres::connect(&pooler, NoTls).await.unwrap();
        tokio::spawn(connection);
        // More often than the pooler has connections.
        for _ in 0..50 {
            let rows = client
                .simple_query(
                    "SELECT current_setting('search_path') || current_setting('lock_timeout')
                         || current_setting('statement_timeout')
                         || (SELECT count(*) FROM pg_prepared_statements)",
                )
                .await
                .unwrap();
            let left = rows.iter().find_map(|message| match message {
                SimpleQueryMessage::Row(row) => row.get(0),
                _ => None,
            });
            assert_eq!(left, Some("\"$user\", public000"));
        }
    })
    .await;
}

#[tokio::test]
async fn a_pooler_that_refuses_options_is_told_apart_from_an_outage() {
    let pooler = announced("PIPELINE_TEST_PGBOUNCER");
    let error = AuditStore::open_postgres(&format!("{pooler}?options=-csearch_path%3Dx")).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration, "{}", error.report());
    assert!(error.hint().unwrap().contains("schema=NAME"), "{}", error.report());
}

#[tokio::test]
async fn a_lost_connection_is_opened_again_behind_a_pooler() {
    with_pooler(async |fixture: Fixture| {
        let store = fixture.open().await;
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE application_name = current_setting('application_name')
                       AND pid <> pg_backend_pid()";
        for id in ["r1", "r2", "r3"] {
            fixture.query(cut).await;
            store.begin_run(&run(id), &[]).await.unwrap();
        }
        assert_eq!(store.read("runs").await.unwrap().rows.len(), 3);
    })
    .await;
}

#[tokio::test]
async fn a_lost_connection_is_opened_again() {
    with_postgres(async |fixture: Fixture| {
        let store = fixture.open().await;
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE application_name = current_setting('application_name')
                       AND pid <> pg_backend_pid()";
        fixture.query(cut).await;
        store.begin_run(&run("r1"), &[]).await.unwrap();
        fixture.query(cut).await;
        assert_eq!(store.read("runs").await.unwrap().rows.len(), 1);
    })
    .await;
}

/// The analyst may select, and nothing else.
#[tokio::test]
async fn the_right_to_select_is_enough_to_read() {
    with_postgres(async |fixture: Fixture| {
        fixture.open().await.begin_run(&run("r1"), &[]).await.unwrap();
        let Fixture::Postgres { schema, .. } = &fixture else { unreachable!() };
        let analyst = format!("{schema}_analyst");
        fixture.query(&format!("CREATE ROLE {analyst} LOGIN PASSWORD '{PASSWORD}'")).await;
        let url = fixture.url();
        let (_, address) = url.split_once('@').unwrap();
        let url = format!("postgresql://{analyst}:{PASSWORD}@{address}");

        // A store that is hidden from the analyst is not taken for a new one.
        let hidden = AuditStore::open_postgres_to_read(&url).await.unwrap_err();
        assert_eq!(hidden.kind(), ErrorKind::Configuration, "{}", hidden.report());
        fixture.query(&format!("GRANT USAGE ON SCHEMA {schema} TO {analyst}")).await;
        let hidden = AuditStore::open_postgres_to_read(&url).await.unwrap_err();
        assert!(hidden.message().contains("denies access"), "{}", hidden.report());

        let grant = format!("GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {analyst}");
        fixture.query(&grant).await;
        let reader = AuditStore::open_postgres_to_read(&url).await.unwrap();
        for relation in AuditStore::relations() {
            reader.read(relation.name).await.unwrap();
        }
        assert_eq!(reader.read("runs").await.unwrap().rows.len(), 1);
        fixture.query(&format!("DROP OWNED BY {analyst}; DROP ROLE {analyst}")).await;
    })
    .await;
}

#[tokio::test]
async fn debug_shows_the_place_alone() {
    with_postgres(async |fixture: Fixture| {
        let shown = format!("{:?}", fixture.open().await);
        assert!(shown.starts_with("AuditStore(\"postgresql://"), "{shown}");
        assert!(!shown.contains("secret"), "{shown}");
    })
    .await;
}
