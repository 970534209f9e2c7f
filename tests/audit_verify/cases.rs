//! The cases: what is done, and which entry must be named first.

use std::fs;
use std::sync::Arc;

use libtest_mimic::Trial;
use pipeline::audit::{AuditStore, ColumnType, Head, LogEntry, Relation};
use serde_json::Value as Json;

use crate::common::Seen;
use crate::world::{Copy, Database, HEAD, World, blocking};

/// What the first line of the error must name.
enum First {
    Entry(i64),
    /// A row that no entry explains.
    Row(&'static str),
}

fn expect(seen: &Seen, first: First) {
    let story = format!("exit code {}\n{}{}", seen.code, seen.stdout, seen.stderr);
    assert_eq!(seen.code, 1, "{story}");
    let line = seen.stderr.lines().find(|line| line.starts_with("error:")).expect(&story);
    let line = line.strip_prefix("error: the audit log does not fit: ").expect(&story);
    let named = match first {
        First::Entry(number) => [" ", ":"].map(|end| format!("entry {number}{end}")),
        First::Row(table) => [" ", ":"].map(|end| format!("the row of `{table}`{end}")),
    };
    assert!(named.iter().any(|named| line.starts_with(named)), "expected {named:?}\n{story}");
}

/// All cases on one world.
pub(crate) fn trials(kind: &str, world: &Arc<World>) -> Vec<Trial> {
    let mut cases = Cases { kind: kind.to_owned(), world: Arc::clone(world), trials: vec![] };
    cases.untouched();
    for table in AuditStore::explained_tables() {
        cases.table(table);
    }
    cases.log();
    cases.tail();
    cases.head();
    cases.files();
    cases.trials
}

struct Cases {
    kind: String,
    world: Arc<World>,
    trials: Vec<Trial>,
}

impl Cases {
    fn add(&mut self, name: String, case: impl FnOnce(&World, &Copy<'_>) + Send + 'static) {
        let world = Arc::clone(&self.world);
        let number = self.trials.len();
        let run = move || {
            case(&world, &world.copy(number));
            Ok(())
        };
        self.trials.push(Trial::test(format!("{}::{name}", self.kind), run));
    }

    fn untouched(&mut self) {
        self.add("untouched, all fits".into(), |world, copy| {
            for arguments in [&[][..], &["--no-data"], &["--current"]] {
                let seen = copy.verify(arguments);
                assert_eq!(seen.code, 0, "{}", seen.stderr);
                let entries = world.database.value("SELECT count(*) FROM log");
                let start = format!("all fits: {entries} entries, ");
                assert!(seen.stdout.starts_with(&start), "{}", seen.stdout);
            }
        });
    }

    /// Each column of a row changed; a row deleted; a row inserted.
    fn table(&mut self, table: &'static Relation) {
        for (column, kind) in table.columns {
            self.add(format!("{}.{column} is changed", table.name), move |_, copy| {
                let victim = Victim::of(table, column, &copy.without_rules().database);
                let value = other_value(column, *kind, &copy.database);
                let (name, place) = (table.name, &victim.place);
                copy.database.query(&format!("UPDATE {name} SET {column} = {value} WHERE {place}"));
                expect(&copy.verify(&[]), First::Entry(victim.entry));
            });
        }
        self.add(format!("{}: a row is deleted", table.name), move |_, copy| {
            let victim = Victim::of(table, table.columns[0].0, &copy.without_rules().database);
            copy.database.query(&format!("DELETE FROM {} WHERE {}", table.name, victim.place));
            expect(&copy.verify(&[]), First::Entry(victim.entry));
        });
        self.add(format!("{}: a row is inserted", table.name), move |_, copy| {
            let victim = Victim::of(table, table.columns[0].0, &copy.without_rules().database);
            let columns = table.columns.iter().map(|(name, kind)| match kind {
                _ if table.key.last() != Some(name) => (*name).to_owned(),
                ColumnType::Integer => format!("{name} + 1000"),
                _ => format!("{name} || '-forged'"),
            });
            let columns: Vec<_> = columns.collect();
            let (name, place) = (table.name, victim.place);
            let columns = columns.join(", ");
            copy.database
                .query(&format!("INSERT INTO {name} SELECT {columns} FROM {name} WHERE {place}"));
            expect(&copy.verify(&[]), First::Row(table.name));
        });
    }

    /// Each column of an entry in the middle; entries deleted, added, written anew.
    fn log(&mut self) {
        const MIDDLE: i64 = 6;
        let log = AuditStore::relations().iter().find(|table| table.name == "log").expect("a log");
        for (column, kind) in log.columns {
            self.add(format!("log.{column} is changed"), move |_, copy| {
                let value = other_value(column, *kind, &copy.database);
                let sql = format!("UPDATE log SET {column} = {value} WHERE sequence = {MIDDLE}");
                copy.database.query(&sql);
                expect(&copy.verify(&[]), First::Entry(MIDDLE));
            });
        }
        self.add("log: an entry is deleted".into(), |_, copy| {
            copy.database.query(&format!("DELETE FROM log WHERE sequence = {MIDDLE}"));
            expect(&copy.verify(&[]), First::Entry(MIDDLE));
        });
        self.add("log: an entry is added".into(), |world, copy| {
            copy.database.query(
                "INSERT INTO log SELECT sequence + 1, time, actor, run, event, payload, previous, hash
                 FROM log ORDER BY sequence DESC LIMIT 1",
            );
            expect(&copy.verify(&[]), First::Entry(last(&world.database) + 1));
        });
        self.add("log: two entries change places".into(), |_, copy| {
            for (from, to) in [(MIDDLE, -1), (MIDDLE + 1, MIDDLE), (-1, MIDDLE + 1)] {
                let sql = format!("UPDATE log SET sequence = {to} WHERE sequence = {from}");
                copy.database.query(&sql);
            }
            expect(&copy.verify(&[]), First::Entry(MIDDLE));
        });
        self.add(
            "log: all entries after a change are written anew, the row too".into(),
            |_, copy| {
                let head = rewrite(copy, MIDDLE);
                expect(&copy.verify(&[]), First::Entry(head));
            },
        );
        self.add("log: who writes both stores anew is not noticed".into(), |_, copy| {
            let head = rewrite(copy, MIDDLE);
            let seen = copy.verify_with(HEAD, |_| Some(forged_head(copy, head)));
            assert_eq!(seen.code, 0, "{}", seen.stderr);
        });
    }

    /// Entries cut off the end, alone and with what they explain.
    fn tail(&mut self) {
        self.add("the last entry is cut".into(), |world, copy| {
            // It is the release of the lease: the head does not tell, the lease does.
            let end = last(&world.database);
            copy.database.query(&format!("DELETE FROM log WHERE sequence = {end}"));
            let sql = "SELECT max(sequence) FROM log WHERE event = 'lease.acquired'";
            let acquired = copy.database.value(sql).parse().expect("a number");
            expect(&copy.verify(&[]), First::Entry(acquired));
        });
        for count in [2, 5, 10] {
            self.add(format!("the last {count} entries are cut"), move |world, copy| {
                let end = last(&world.database) - count;
                copy.database.query(&format!("DELETE FROM log WHERE sequence > {end}"));
                expect(&copy.verify(&[]), First::Entry(end + 1));
            });
        }
        self.add("all entries are cut".into(), |_, copy| {
            copy.database.query("DELETE FROM log");
            expect(&copy.verify(&[]), First::Entry(1));
        });
        self.add("the store is put back to an earlier state".into(), |world, copy| {
            let seen = copy.verify_against(&world.old);
            expect(&seen, First::Entry(last(&world.old) + 1));
        });
    }

    /// The head in the warehouse.
    fn head(&mut self) {
        let published = "SELECT max(sequence) FROM log WHERE event = 'published'";
        let sealed = move |copy: &Copy<'_>| -> i64 {
            copy.database.value(published).parse().expect("a number")
        };
        self.add("the head is removed".into(), move |_, copy| {
            let seen = copy.verify_with(HEAD, |_| None);
            expect(&seen, First::Entry(sealed(copy)));
        });
        self.add("the head is an older one".into(), move |world, copy| {
            let seen = copy.verify_with(HEAD, |_| Some(world.old_head.clone()));
            expect(&seen, First::Entry(sealed(copy)));
        });
        for (name, content) in [("empty", ""), ("no JSON", "head"), ("another object", "{}")] {
            self.add(format!("the head is {name}"), move |_, copy| {
                let seen = copy.verify_with(HEAD, |_| Some(content.into()));
                expect(&seen, First::Entry(sealed(copy)));
            });
        }
        self.add("the head has a field more".into(), move |_, copy| {
            let seen = copy.verify_with(HEAD, |head| {
                let head = std::str::from_utf8(head).expect("UTF-8");
                Some(head.replacen('{', "{\"note\":1,", 1).into())
            });
            expect(&seen, First::Entry(sealed(copy)));
        });
        type Change = fn(&mut Head);
        let changes: [(&str, Change); 5] = [
            ("hash", |head| head.hash = "0".repeat(64)),
            ("time", |head| head.time += chrono::TimeDelta::microseconds(1)),
            ("run", |head| head.run = None),
            ("sequence, less", |head| head.sequence -= 1),
            ("sequence, more", |head| head.sequence += 1000),
        ];
        for (name, change) in changes {
            self.add(format!("the head has another {name}"), move |world, copy| {
                let mut sequence = 0;
                let seen = copy.verify_with(HEAD, |head| {
                    let mut head: Head = serde_json::from_slice(head).expect("a head");
                    change(&mut head);
                    sequence = head.sequence;
                    Some(serde_json::to_vec(&head).expect("JSON"))
                });
                let end = last(&world.database);
                expect(&seen, First::Entry(sequence.min(end + 1)));
            });
        }
    }

    /// Each file of each version that was not removed.
    fn files(&mut self) {
        let database = &self.world.database;
        let versions = database.query(
            "SELECT id FROM versions WHERE id NOT IN (SELECT version FROM removals) ORDER BY id",
        );
        for version in versions.into_iter().map(|row| row[0].clone().expect("an id")) {
            let folder = self.world.project.path("warehouse").join(&version);
            for entry in fs::read_dir(folder).expect("a version") {
                let name = entry.expect("an entry").file_name().into_string().expect("UTF-8");
                self.file(&version, format!("{version}/{name}"));
            }
        }
    }

    fn file(&mut self, version: &str, path: String) {
        // Ids differ from run to run.
        let (relation, name) =
            (version.rsplit_once('/').expect("an id").0, &path[version.len() + 1..]);
        let title = format!("{}: {relation}/…/{name}", self.trials.len());
        type Change = fn(&[u8], &[u8]) -> Option<Vec<u8>>;
        let changes: [(&str, Change); 8] = [
            ("its first byte is flipped", |bytes, _| flipped(bytes, 0)),
            ("a byte in the middle is flipped", |bytes, _| flipped(bytes, bytes.len() / 2)),
            ("a byte near the end is flipped", |bytes, _| flipped(bytes, bytes.len() - 40)),
            ("its last byte is flipped", |bytes, _| flipped(bytes, bytes.len() - 1)),
            ("its last byte is cut", |bytes, _| Some(bytes[..bytes.len() - 1].to_vec())),
            ("it is emptied", |_, _| Some(vec![])),
            ("it is removed", |_, _| None),
            ("another valid one is in its place", |_, other| Some(other.to_vec())),
        ];
        for (what, change) in changes {
            let path = path.clone();
            self.add(format!("{title}: {what}"), move |world, copy| {
                let version = path.rsplit_once('/').expect("a folder").0;
                let sql = format!("SELECT version FROM files WHERE path = '{path}'");
                let listed = world.database.query(&sql).into_iter().flatten().flatten();
                let versions: Vec<_> = match path.ends_with(".parquet") {
                    true => listed.collect(),
                    false => vec![version.to_owned()],
                };
                let entry = |version: &String| {
                    let key = [("id", version.clone())];
                    written_by(&world.database, "versions", &key)
                };
                let first = versions.iter().map(entry).min().expect("a version");
                let seen = copy.verify_with(&path, |own| change(own, &another(world, &path, own)));
                expect(&seen, First::Entry(first));
            });
        }
    }
}

fn flipped(bytes: &[u8], at: usize) -> Option<Vec<u8>> {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1;
    Some(bytes)
}

/// The content of a file of the same kind and another content.
fn another(world: &World, path: &str, own: &[u8]) -> Vec<u8> {
    let end = path.rsplit_once('/').expect("a folder").1;
    let warehouse = world.project.path("warehouse");
    let versions = world.database.query("SELECT id FROM versions ORDER BY id");
    let ids = versions.into_iter().flatten().flatten();
    let others = ids.filter_map(|id| fs::read(warehouse.join(id).join(end)).ok());
    others.into_iter().find(|other| other != own).expect("another file")
}

/// Number of the last entry.
fn last(database: &Database) -> i64 {
    database.value("SELECT max(sequence) FROM log").parse().expect("a number")
}

/// The row that is tampered with: how to name it, and the last entry that says something of it.
struct Victim {
    place: String,
    entry: i64,
}

impl Victim {
    /// A row whose `column` is not NULL, where there is one.
    fn of(table: &Relation, column: &str, database: &Database) -> Self {
        let id = if database.is_postgres() { "ctid" } else { "rowid" };
        let keys: String = table.key.iter().map(|key| format!(", {key}")).collect();
        let sql = format!(
            "SELECT {id}{keys} FROM {} ORDER BY {column} IS NULL, {id} LIMIT 1",
            table.name
        );
        let rows = database.query(&sql);
        let row = rows.first().unwrap_or_else(|| panic!("`{}` has no row", table.name));
        let text = |value: &Option<String>| value.clone().expect("a key");
        let key: Vec<_> = table.key.iter().copied().zip(row[1..].iter().map(text)).collect();
        let entry = written_by(database, table.name, &key);
        Self { place: format!("{id} = '{}'", text(&row[0])), entry }
    }
}

/// The last entry that says something of a row, read from the JSON alone.
fn written_by(database: &Database, table: &str, key: &[(&str, String)]) -> i64 {
    let log = database.query("SELECT sequence, payload FROM log ORDER BY sequence DESC");
    let says = |payload: &str| {
        let payload: Json = serde_json::from_str(payload).expect("JSON");
        let rows = ["put", "set"].map(|kind| payload[kind][table].as_array().cloned());
        let mut rows = rows.into_iter().flatten().flatten();
        rows.any(|row| {
            key.iter().all(|(column, value)| match &row[*column] {
                Json::String(text) => text == value,
                other => &other.to_string() == value,
            })
        })
    };
    let mut entries = log.iter().map(|row| (row[0].as_ref(), row[1].as_ref()));
    let found = entries.find(|(_, payload)| says(payload.expect("a payload")));
    found.expect("an entry").0.expect("a number").parse().expect("a number")
}

/// An expression of another value than the one there.
fn other_value(column: &str, kind: ColumnType, database: &Database) -> String {
    match kind {
        ColumnType::Text => format!("COALESCE({column}, '') || 'x'"),
        ColumnType::Integer => format!("COALESCE({column}, 0) + 1000"),
        // The smallest change of most numbers.
        ColumnType::Real => format!("COALESCE({column} * (1 + 2.220446049250313e-16), 1)"),
        ColumnType::Boolean => format!("NOT COALESCE({column}, FALSE)"),
        ColumnType::Timestamp if database.is_postgres() => {
            format!("COALESCE({column} + interval '1 microsecond', now())")
        }
        ColumnType::Timestamp => format!(
            "CASE WHEN {column} LIKE '%1Z' THEN substr({column}, 1, 25) || '2Z'
             ELSE COALESCE(substr({column}, 1, 25), '2026-01-01T00:00:00.00000') || '1Z' END"
        ),
    }
}

/// Changes a step, its entry, and all hashes from there on; gives the number of the head's entry.
fn rewrite(copy: &Copy<'_>, from: i64) -> i64 {
    let entries = blocking(async {
        let store = copy.database.open().await;
        let mut entries: Vec<LogEntry> = vec![];
        for sequence in 1.. {
            match store.log_entry(sequence).await.expect("an entry") {
                Some(entry) => entries.push(entry),
                None => break,
            }
        }
        entries
    });
    let mut previous = entries[from as usize - 2].hash.clone();
    for mut entry in entries.into_iter().skip(from as usize - 1) {
        if entry.sequence == from {
            let changed =
                entry.payload.replace("\"reason\":\"first version\"", "\"reason\":\"forged\"");
            assert_ne!(changed, entry.payload, "an entry of a step that made a first version");
            entry.payload = changed;
            let payload: Json = serde_json::from_str(&entry.payload).expect("JSON");
            let step = &payload["put"]["steps"][0];
            let (run, ordinal) = (step["run"].as_str().expect("a run"), &step["ordinal"]);
            copy.database.query(&format!(
                "UPDATE steps SET reason = 'forged' WHERE run = '{run}' AND ordinal = {ordinal}"
            ));
        }
        entry.previous = previous;
        entry.hash = entry.computed_hash();
        copy.database.query(&format!(
            "UPDATE log SET payload = '{}', previous = '{}', hash = '{}' WHERE sequence = {}",
            entry.payload.replace('\'', "''"),
            entry.previous,
            entry.hash,
            entry.sequence
        ));
        previous = entry.hash;
    }
    let sql = "SELECT max(sequence) FROM log WHERE event = 'published'";
    copy.database.value(sql).parse().expect("a number")
}

/// The head that fits a log that was written anew.
fn forged_head(copy: &Copy<'_>, sequence: i64) -> Vec<u8> {
    let entry = blocking(async { copy.database.open().await.log_entry(sequence).await });
    serde_json::to_vec(&Head::of(&entry.expect("a log").expect("an entry"))).expect("JSON")
}
