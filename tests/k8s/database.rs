//! What dev does to its database, done to a real server: its scripts, its roles, its URLs.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::common::Project;
use crate::common::postgres::{Server, program, psql, query};
use crate::objects::{base64, overlay, strings};

/// The container of that name in dev.
fn container(name: &str) -> Value {
    let pods = overlay("dev").pods();
    let containers = pods.iter().flat_map(|pod| pod.containers());
    containers.into_iter().find(|container| container["name"] == name).expect("a container").clone()
}

/// A value of a secret of dev.
fn secret(name: &str, key: &str) -> String {
    base64(&overlay("dev").find("Secret", name).expect("a secret")["data"][key])
}

/// Runs a shell script of dev with the client programs of PostgreSQL at hand.
fn shell(script: &str, environment: &[(&str, &str)]) {
    let programs = program("psql").parent().expect("a folder").to_owned();
    let path = format!("{}:/usr/bin:/bin", programs.display());
    let mut command = Command::new("sh");
    command.args(["-euc", script]).env_clear().env("PATH", path);
    let output = command.envs(environment.iter().copied()).output().expect("sh");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{script}: {said}");
}

#[test]
fn dev_sets_up_its_database() {
    let server = Server::start(&[]);
    server.query("CREATE DATABASE audit");
    let port = server.port().to_string();
    let local = |url: String| url.replace("postgres:5432", &format!("127.0.0.1:{port}"));
    let admin = local(secret("pipeline-admin", "admin")).replace("//postgres:", "//pipeline:");

    // The server's own setup: roles, then users with the passwords of their URLs.
    let roles = Path::new(env!("CARGO_MANIFEST_DIR")).join("k8s/postgres/roles.sql");
    let roles = |name: &str| {
        let command = strings(&container(name)["command"]);
        let ["sh", "-c", script] = command.iter().map(String::as_str).collect::<Vec<_>>()[..]
        else {
            panic!("{command:?}");
        };
        let script = script.replace("/roles/roles.sql", roles.to_str().expect("UTF-8"));
        shell(&script, &[("ADMIN_URL", &admin)]);
    };
    roles("roles");
    let users = overlay("dev").find("ConfigMap", "postgres-users").expect("the script");
    let passwords = ["migrator", "job", "analyst"].map(|user| secret("postgres", user));
    let environment = [
        ("PGHOST", "127.0.0.1"),
        ("PGPORT", port.as_str()),
        ("POSTGRES_USER", "pipeline"),
        ("POSTGRES_DB", "audit"),
        ("MIGRATOR_PASSWORD", &passwords[0]),
        ("JOB_PASSWORD", &passwords[1]),
        ("ANALYST_PASSWORD", &passwords[2]),
    ];
    shell(users["data"]["users.sh"].as_str().expect("a script"), &environment);
    assert!(secret("pipeline-admin", "migrate").contains(&format!("//migrator:{}@", passwords[0])));
    assert!(secret("pipeline", "run").contains(&format!("//job:{}@", passwords[1])));

    // The run waits until the migration is done, and its grants.
    let waits = strings(&container("wait-for-migration")["command"]).join(" ");
    let question = waits.split('"').nth(1).expect("a question");
    let job = format!("postgresql://job@127.0.0.1:{port}/audit");
    psql(&job, question).expect_err("there is no table yet");
    let project = Project::shipped(500);
    let audit = local(secret("pipeline-admin", "migrate"));
    project.ok(&["audit", "migrate", "--audit", &audit]);
    assert_eq!(query(&job, question), ["f"]);
    roles("grant");
    assert_eq!(query(&job, question), ["t"]);

    let audit = local(secret("pipeline", "run"));
    project.ok(&["exec", "sql", "--audit", &audit]);
    let analyst = audit.replace(&format!("job:{}", passwords[1]), "analyst");
    let read = project.ok(&["sql", "SELECT count(*) FROM eval.scores", "--audit", &analyst]);
    assert!(read.contains("500"), "{read}");
}
