//! What only PostgreSQL can get wrong.

use pipeline::audit::AuditStore;
use pipeline::error::{Error, ErrorKind};

use crate::fixture::{Fixture, server_url, with_postgres};
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
        format!("postgresql://me:{PASSWORD}@host/audit?sslmode=verify-full"),
    ] {
        assert_eq!(refusal(&url).await.kind(), ErrorKind::Configuration, "{url}");
    }
}

#[tokio::test]
async fn required_encryption_is_refused_before_anything_is_sent() {
    let error = refusal(&format!("postgresql://me:{PASSWORD}@127.0.0.1:1/a?sslmode=require")).await;
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.message().contains("sslmode=require"), "{error}");
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
        let Fixture::Postgres { schema } = &fixture else { unreachable!() };
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
