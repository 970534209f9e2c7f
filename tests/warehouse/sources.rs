//! Sources and external tables in buckets, with the meaning that they have on a disk.

use super::common::places::Place;
use super::common::s3::{Server, prefix, servers};
use super::common::{Project, gzip};

/// An empty place in the bucket `sources`, and its location.
fn bucket(server: &Server) -> (Place, String) {
    let root = format!("s3://sources/{}", prefix());
    (Place::at(server, &root, ""), root)
}

fn project(server: &Server) -> Project {
    let project = Project::new().on(server, &format!("s3://warehouse/{}", prefix()), "");
    project.file("sql/1.sql", "CREATE OR REPLACE TABLE raw.t AS SELECT * FROM landing.t;\n");
    project
}

fn ids(project: &Project) -> String {
    project.rows("SELECT id FROM raw.t ORDER BY id").join(" ")
}

#[test]
fn files_folders_and_globs_mean_what_they_mean_on_a_disk() {
    for server in servers() {
        let (bucket, root) = bucket(&server);
        bucket
            .put("flows/a.csv.gz", gzip("id,name\n1,a\n2,b\n"))
            .put("flows/deep/er/b.CSV", "id,name\n3,c\n")
            .put("flows/_SUCCESS", "")
            .put("flows/.hidden.csv", "id,name\n99,x\n")
            .put("flows/notes.txt", "id,name\n4,d\n")
            .put("flows2/other.csv", "id,name\n98,x\n")
            .put("one/plain.json", "{\"id\": 5}\n{\"id\": 6}\n")
            .put("odd/da ta [1]/a ü#%.csv", "id,name\n7,e\n");
        let project = project(&server);
        for (location, expected) in [
            ("flows", "1 2 3 4"),
            ("flows/", "1 2 3 4"),
            ("flows/a.csv.gz", "1 2"),
            ("flows/*.csv*", "1 2"),
            ("flows/**/*.CSV", "3"),
            ("flows/[ab].csv.gz", "1 2"),
            ("one", "5 6"),
            ("one/plain.json", "5 6"),
            ("odd/da ta [1]", "7"),
            ("odd/da ta [1]/a ü#%.csv", "7"),
        ] {
            let source = format!("t={}/{location}", root);
            let run = project.run(&["exec", "sql", "--source", &source]);
            assert_eq!(run.code, 0, "{} {location}: {}", server.name, run.stderr);
            assert_eq!(ids(&project), expected, "{} {location}", server.name);
        }
        let uris = project.rows(
            "SELECT DISTINCT source FROM audit.lineage WHERE etag IS NOT NULL ORDER BY source",
        );
        assert!(uris.contains(&format!("{}/flows/a.csv.gz", root)), "{uris:?}");
        // What is unchanged is not read again.
        let source = format!("t={}/flows", root);
        project.ok(&["exec", "sql", "--source", &source]);
        let again = project.ok(&["exec", "sql", "--source", &source]);
        assert!(again.contains("1 reused"), "{}: {again}", server.name);
        bucket.put("flows/a.csv.gz", gzip("id,name\n10,a\n"));
        let again = project.ok(&["exec", "sql", "--source", &source]);
        assert!(again.contains("input landing.t changed"), "{}: {again}", server.name);
        assert_eq!(ids(&project), "3 4 10", "{}", server.name);
    }
}

#[test]
fn what_is_not_there_or_not_readable_is_said() {
    for server in servers() {
        let (bucket, root) = bucket(&server);
        bucket
            .put("broken/a.csv", "id,name\n1,a\n2\n")
            .put("broken/z.csv.gz", "this is no gzip")
            .put("drift/a.csv", "id,name\n1,a\n")
            .put("drift/b.csv", "id,other\n1,a\n")
            .put("binary/file.bin", "x");
        let project = project(&server);
        for (location, code, parts) in [
            ("nothing", 2, &["no such file or folder", "nothing", "--source t=PATH"][..]),
            ("nothing.csv", 2, &["no such file or folder", "nothing.csv"]),
            ("drift/*.json", 2, &["is empty: no json file"]),
            ("binary", 2, &["format is not clear", "[sources.t]"]),
            ("broken/a.csv", 2, &["malformed", "broken/a.csv"]),
            ("broken/z.csv.gz", 2, &["malformed content in s3://", "broken/z.csv.gz"]),
            ("drift", 2, &["schema drift", "`name` is missing", "drift/b.csv"]),
        ] {
            let source = format!("t={}/{location}", root);
            let run = project.run(&["exec", "sql", "--source", &source]);
            assert_eq!(run.code, code, "{} {location}: {}", server.name, run.stderr);
            for part in parts {
                let text = run.stderr.replace(&root, "s3://sources/…");
                assert!(text.contains(part), "{} {location}: {part}\n{text}", server.name);
            }
        }
        let run = project.run(&["exec", "sql", "--source", "t=s3://no-such-bucket/x.csv"]);
        assert_eq!(run.code, 2, "{}", run.stderr);
        assert!(run.stderr.contains("no-such-bucket"), "{}", run.stderr);
    }
}

#[test]
fn a_source_may_be_in_a_bucket_while_the_warehouse_is_on_a_disk() {
    for server in servers() {
        let (bucket, root) = bucket(&server);
        bucket.put("flows/a.csv", "id\n1\n").put("flows/b.csv", "id\n2\n");
        let mut project = Project::new();
        project.env("AWS_ACCESS_KEY_ID", &server.key);
        project.env("AWS_SECRET_ACCESS_KEY", &server.secret);
        project.env("AWS_ENDPOINT_URL_S3", &server.endpoint);
        project.env("AWS_ALLOW_HTTP", "true");
        project.file(
            "sql/1.sql",
            format!(
                "CREATE EXTERNAL TABLE landing.x STORED AS CSV LOCATION '{}/flows/' OPTIONS ('format.has_header' 'true');\nCREATE OR REPLACE TABLE raw.t AS SELECT id FROM landing.x;\nCOPY (SELECT id + 10 AS id FROM raw.t) TO '{}/copied/x.parquet' STORED AS PARQUET;\n",
                root, root
            ),
        );
        project.ok(&["exec", "sql"]);
        assert_eq!(ids(&project), "1 2", "{}", server.name);
        let uris = project.rows("SELECT source FROM audit.lineage ORDER BY source");
        assert_eq!(uris, [1, 2].map(|n| format!("{}/flows/{}.csv", root, ["a", "b"][n - 1])));
        let again = project.ok(&["exec", "sql"]);
        assert!(again.contains("reused"), "{}: {again}", server.name);
        project.file("sql/1.sql", "CREATE OR REPLACE TABLE raw.t AS SELECT * FROM landing.t;\n");
        let source = format!("t={}/copied/x.parquet", root);
        project.ok(&["exec", "sql", "--source", &source]);
        assert_eq!(ids(&project), "11 12", "{}", server.name);
    }
}
