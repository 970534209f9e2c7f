//! Processes that are killed, paused, stopped, started twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use libtest_mimic::{Failed, Trial};

use crate::common::namespace::Namespace;
use crate::common::{copy, seen, told};
use crate::subject::{Backend, Random, Running, SHORT_LEASE, STEPS, State, Subject, state_of};

/// Moments at which a run is killed, by backend.
const KILLS: [(Backend, usize); 3] =
    [(Backend::Files, 64), (Backend::Postgres, 32), (Backend::Services, 32)];

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![];
    for (backend, moments) in KILLS {
        let name = backend.name();
        trials.extend((0..moments).map(|moment| {
            Trial::test(format!("process::killed::{name}::{moment:03}"), move || {
                killed(backend, moment, moments)
            })
        }));
    }
    trials.push(Trial::test("process::dead_writer::is_cleaned_up_after", || {
        dead_writer();
        Ok(())
    }));
    for backend in Backend::ALL {
        let mut add = |case: &str, run: fn(Backend)| {
            let name = format!("process::{case}::{}", backend.name());
            trials.push(Trial::test(name, move || {
                run(backend);
                Ok(())
            }));
        };
        add("paused::in_the_first_step", |backend| paused(backend, 0));
        add("paused::in_training", |backend| paused(backend, 9));
        add("paused::in_the_last_step", |backend| paused(backend, 14));
        add("paused::and_not_replaced", paused_and_not_replaced);
        add("twice::one_publishes", twice);
        add("twice::the_second_waits", twice_waiting);
        add("twice::with_different_scripts", two_pipelines);
        add("waiting::ends_after_its_time", waits_in_vain);
        add("waiting::is_cancelled", cancelled_while_waiting);
        add("sigterm::ingestion", |backend| stopped(backend, &PHASES[0]));
        add("sigterm::transformation", |backend| stopped(backend, &PHASES[1]));
        add("sigterm::training", |backend| stopped(backend, &PHASES[2]));
        add("sigterm::evaluation", |backend| stopped(backend, &PHASES[3]));
    }
    trials
}

/// What a run says on its way: that it has begun, and the end of each step.
fn landmarks() -> Vec<String> {
    let steps = (1..=STEPS).map(|step| format!("{step}/{STEPS} "));
    std::iter::once("run ".to_owned()).chain(steps).collect()
}

/// When an undisturbed run passes its landmarks, from its start to its end.
fn timeline(backend: Backend) -> &'static [Duration] {
    static TIMELINES: [OnceLock<Vec<Duration>>; 3] = [const { OnceLock::new() }; 3];
    TIMELINES[backend as usize].get_or_init(|| {
        let subject = Subject::new(backend);
        subject.becomes(State::New);
        let started = Instant::now();
        let mut run = Running::start(subject.exec(&[]));
        let mut times = vec![Duration::ZERO];
        for landmark in landmarks() {
            assert!(run.says(&landmark));
            times.push(started.elapsed());
        }
        assert_eq!(run.end().code, 0);
        times.push(started.elapsed());
        times
    })
}

/// `kill -9` at a random moment. The moments are spread over the run: a few are before it has begun,
/// a few after its last step, where the publish is, and the others evenly between its landmarks.
fn killed(backend: Backend, moment: usize, moments: usize) -> Result<(), Failed> {
    let landmarks = landmarks();
    const FIRST: usize = 3;
    const LAST: usize = 8;
    let passed = match moment {
        0..FIRST => 0,
        moment if moment + LAST >= moments => landmarks.len(),
        moment => 1 + (moment - FIRST) * STEPS / (moments - FIRST - LAST),
    };
    let way = timeline(backend)[passed + 1] - timeline(backend)[passed];
    let seed = SystemTime::UNIX_EPOCH.elapsed().expect("a clock").as_nanos() as u64;
    let delay = way.mul_f64(Random(seed ^ moment as u64).unit());

    let subject = Subject::new(backend);
    subject.becomes(State::New);
    let mut run = Running::start(subject.exec(&SHORT_LEASE));
    for landmark in &landmarks[..passed] {
        assert!(run.says(landmark), "it failed by itself: {}", run.end().stderr);
    }
    thread::sleep(delay);
    run.child.kill().expect("kill -9");
    let seen = run.end();
    let wrong = |what: String| {
        Failed::from(format!("killed {delay:?} after landmark {passed}: {what}\n{}", seen.stderr))
    };

    // Readers see one whole state: the new one exactly where the run had published.
    let before = subject.record();
    let dead = before.runs.get(1).cloned();
    let published = dead.as_ref().is_some_and(|(_, state)| state == "succeeded");
    let expected = if published { State::New } else { State::Old };
    if state_of(&before.published) != expected {
        return Err(wrong(format!("the run is {dead:?}, but readers see another state")));
    }

    // The next run goes on where the dead one ended, and ends as if nothing had been.
    let next = subject.exec_again();
    if next.code != 0 {
        return Err(wrong(format!("the next run failed:\n{}", next.stderr)));
    }
    let after_all = subject.record();
    if state_of(&after_all.published) != State::New {
        return Err(wrong("the next run did not publish".into()));
    }
    if let Some((dead, _)) = &dead {
        let state = after_all.state_of(dead).expect("the dead run");
        assert_eq!(state, if published { "succeeded" } else { "failed" });
        let (heir, _) = after_all.runs.last().expect("the next run");
        let done = after_all.steps_of(dead);
        let resumed = after_all.steps_of(heir);
        for ((ordinal, state), (_, again)) in done.iter().zip(&resumed) {
            if *state == "ran" && *again != "reused" {
                return Err(wrong(format!("step {ordinal} had finished, and was made again")));
            }
        }
    }
    cleaned(&subject).map_err(wrong)?;
    if subject.record().published != after_all.published {
        return Err(wrong("readers see another state after gc".into()));
    }
    let steps = dead.as_ref().map(|(dead, _)| before.steps_of(dead).len());
    count(backend, phase(steps, published));
    Ok(())
}

/// `gc` removes what is left of the dead, exactly: what a dry run lists before, and nothing that a
/// version lists that is not on record as removed. Then all that is there is as the log says.
fn cleaned(subject: &Subject) -> Result<(), String> {
    let forecast = told(&subject.ok(&["gc", "--dry-run", "--grace", "0s"]));
    let before = subject.files();
    let done = told(&subject.ok(&["gc", "--grace", "0s"]));
    if done != forecast {
        return Err(format!("gc has removed {done:?}, the dry run listed {forecast:?}"));
    }
    if let (Some(before), Some(after)) = (before, subject.files()) {
        let gone: BTreeSet<String> = before.difference(&after).cloned().collect();
        if gone != forecast || after != subject.files_on_record() {
            return Err(format!("gc was to remove {forecast:?}, and has left {after:?}"));
        }
    }
    let left = told(&subject.ok(&["gc", "--dry-run", "--grace", "0s"]));
    if !left.is_empty() {
        return Err(format!("gc has left {left:?}"));
    }
    let verified = subject.run(&["audit", "verify"]);
    if verified.code != 0 {
        return Err(verified.stderr);
    }
    Ok(())
}

/// What a run was in when it was killed, by the steps that it had on record.
fn phase(steps: Option<usize>, published: bool) -> &'static str {
    match steps {
        _ if published => "published",
        None => "start",
        Some(0..5) => "ingestion",
        Some(5..9) => "transformation",
        Some(9) => "training",
        Some(10..STEPS) => "evaluation",
        Some(_) => "publish",
    }
}

/// Counts the phases that were hit; the last of the trials sees that none was missed.
fn count(backend: Backend, phase: &'static str) {
    static HITS: Mutex<BTreeMap<&str, BTreeMap<&str, usize>>> = Mutex::new(BTreeMap::new());
    let mut hits = HITS.lock().expect("no trial panicked here");
    *hits.entry(phase).or_default().entry(backend.name()).or_default() += 1;
    let counted: usize = hits.values().flat_map(BTreeMap::values).sum();
    if counted == KILLS.iter().map(|(_, moments)| moments).sum::<usize>() {
        let hits = std::mem::take(&mut *hits);
        println!("killed in {hits:?}");
        for phase in ["start", "ingestion", "transformation", "training", "evaluation", "publish"] {
            assert!(hits.contains_key(phase), "never killed in {phase}: {hits:?}");
        }
    }
}

/// A process that dies while it writes to SQLite leaves a file that is half-written: whoever may
/// write puts it right by reading, and who may not is told.
fn dead_writer() {
    let subject = Subject::new(Backend::Files);
    let warehouse = subject.project.path("warehouse");
    let copied = subject.project.path("copied");
    let writer = rusqlite::Connection::open(warehouse.join("audit.db")).expect("the store");
    // More than the cache holds, so that the file is changed before the commit.
    let half = "PRAGMA cache_size = 1; BEGIN; UPDATE runs SET error = hex(zeroblob(100000));";
    writer.execute_batch(half).expect("half a transaction");
    copy(&warehouse, &copied);
    drop(writer);
    assert!(copied.join("audit.db-journal").exists());

    let query =
        ["sql", "SELECT count(*) FROM audit.runs", "--format", "csv", "--warehouse", "copied"];
    let protected = Namespace::new("mount --bind -o ro \"$1\" \"$1\"", &[&copied]);
    let told = protected.wrap(&subject.command(&query)).output().expect("the program starts");
    let told = seen(&told);
    assert_eq!(told.code, 3, "{}", told.stderr);
    assert!(told.stderr.contains("a process died while writing to it"), "{}", told.stderr);
    assert!(told.stderr.contains("hint: "), "{}", told.stderr);

    assert_eq!(subject.ok(&query).lines().nth(1), Some("1"));
    assert!(!copied.join("audit.db-journal").exists());
    let told = protected.wrap(&subject.command(&query)).output().expect("the program starts");
    assert_eq!(seen(&told).code, 0, "now it can be read by anyone");
}

/// Starts `exec` towards `State::New` and pauses it after `step`, between two transactions: a
/// process that is paused within one blocks the whole store, whoever it is.
fn pause_after(backend: Backend, step: usize, lease: &str) -> (Subject, Running) {
    // On a busy machine it may have published before the signal comes: then once more.
    for _ in 0..5 {
        let subject = Subject::new(backend);
        subject.becomes(State::New);
        let mut run = Running::start(subject.command(&["exec", "sql", "--lease", lease]));
        assert!(run.says(&landmarks()[step]));
        run.signal("STOP");
        while subject.in_transaction() {
            run.signal("CONT");
            thread::sleep(Duration::from_millis(3));
            run.signal("STOP");
        }
        if subject.published() == State::Old {
            return (subject, run);
        }
    }
    panic!("it was never paused in time");
}

/// A run that sleeps through its lease is replaced, and cannot publish when it wakes up.
fn paused(backend: Backend, step: usize) {
    let (subject, sleeper) = pause_after(backend, step, "1s");
    subject.becomes(State::Other);
    let heir = subject.exec_again();
    assert_eq!(heir.code, 0, "{}", heir.stderr);
    assert_eq!(subject.published(), State::Other);

    sleeper.signal("CONT");
    let woken = sleeper.end();
    assert_eq!(woken.code, 3, "{}", woken.stderr);
    let error = woken.stderr.lines().find(|line| line.starts_with("error: ")).expect("an error");
    assert!(error.ends_with(" has lost its lease: it cannot publish"), "{}", woken.stderr);
    let record = subject.record();
    assert_eq!(state_of(&record.published), State::Other);
    let states: Vec<_> = record.runs.iter().map(|(_, state)| state.as_str()).collect();
    assert_eq!(states, ["succeeded", "failed", "succeeded"]);
    assert_eq!(record.publishers.len(), 2, "{:?}", record.publishers);
}

/// A run that sleeps, and whom nobody replaces, goes on.
fn paused_and_not_replaced(backend: Backend) {
    let (subject, sleeper) = pause_after(backend, 9, "1s");
    thread::sleep(Duration::from_millis(1500));
    sleeper.signal("CONT");
    let woken = sleeper.end();
    assert_eq!(woken.code, 0, "{}", woken.stderr);
    assert_eq!(subject.published(), State::New);
}

/// The same Job twice at once, as a scheduler may start it: one publishes, the other says why not.
fn twice(backend: Backend) {
    let subject = Subject::new(backend);
    subject.becomes(State::New);
    let pair = [(); 2].map(|()| Running::start(subject.exec(&[])));
    let mut ended = pair.map(Running::end);
    ended.sort_by_key(|run| run.code);
    let [winner, loser] = ended;
    assert_eq!((winner.code, loser.code), (0, 3), "{}{}", winner.stderr, loser.stderr);
    assert!(
        loser.stderr.contains("error: run ") && loser.stderr.contains(" holds "),
        "{}",
        loser.stderr
    );
    assert!(loser.stderr.contains("hint: --wait"), "{}", loser.stderr);
    let record = subject.record();
    assert_eq!(state_of(&record.published), State::New);
    assert_eq!(record.publishers.len(), 2, "the earlier state and one of the two: {record:?}");
    let mut states: Vec<_> = record.runs.iter().map(|(_, state)| state.as_str()).collect();
    states.sort_unstable();
    assert_eq!(states, ["failed", "succeeded", "succeeded"], "the refused run is on record too");
}

/// With `--wait`, the second finds all done.
fn twice_waiting(backend: Backend) {
    let subject = Subject::new(backend);
    subject.becomes(State::New);
    let pair = [(); 2].map(|()| Running::start(subject.exec(&["--wait", "60s"])));
    let ended = pair.map(Running::end);
    assert_eq!(
        ended.each_ref().map(|run| run.code),
        [0, 0],
        "{}{}",
        ended[0].stderr,
        ended[1].stderr
    );
    let waited = ended.iter().filter(|run| run.stderr.contains("waiting up to 1m: run ")).count();
    assert_eq!(waited, 1);
    let record = subject.record();
    assert_eq!(state_of(&record.published), State::New);
    assert_eq!(record.publishers.len(), 2, "the second had nothing to publish: {record:?}");
    for step in 1..=STEPS {
        let ran =
            record.steps.iter().filter(|(_, ordinal, state)| *ordinal == step && state == "ran");
        assert!(ran.count() <= 2, "step {step} was made twice");
    }
}

/// Two runs of different scripts publish one after the other, never a mixture.
fn two_pipelines(backend: Backend) {
    let subject = Subject::new(backend);
    let mut first = Running::start(subject.becomes(State::New).exec(&["--wait", "60s"]));
    assert!(first.says("run "));
    // The first has read its scripts once it has planned them.
    assert!(first.says(&format!("1/{STEPS} ")));
    let second = Running::start(subject.becomes(State::Other).exec(&["--wait", "60s"]));
    let seen_between = subject.published();
    assert!([State::Old, State::New, State::Other].contains(&seen_between));
    assert_eq!([first.end().code, second.end().code], [0, 0]);
    let record = subject.record();
    assert_eq!(state_of(&record.published), State::Other);
    assert_eq!(record.publishers.len(), 3, "{record:?}");
}

fn waits_in_vain(backend: Backend) {
    let (subject, holder) = pause_after(backend, 1, "10m");
    let started = Instant::now();
    let late = subject.command(&["exec", "sql", "--wait", "1s"]).output().expect("the program");
    assert!(started.elapsed() >= Duration::from_secs(1));
    let late = seen(&late);
    assert_eq!(late.code, 3, "{}", late.stderr);
    assert!(late.stderr.contains("waiting up to 1s: run "), "{}", late.stderr);
    assert!(late.stderr.contains("  waited: 1s"), "{}", late.stderr);
    holder.signal("CONT");
    assert_eq!(holder.end().code, 0);
    assert_eq!(subject.published(), State::New);
}

fn cancelled_while_waiting(backend: Backend) {
    let (subject, holder) = pause_after(backend, 1, "10m");
    let mut late = Running::start(subject.command(&["exec", "sql", "--wait", "10m"]));
    assert!(late.says("waiting up to 10m: run "));
    late.signal("TERM");
    let late = late.end();
    assert_eq!(late.code, 130, "{}", late.stderr);
    holder.signal("CONT");
    assert_eq!(holder.end().code, 0);
    let record = subject.record();
    assert_eq!(state_of(&record.published), State::New);
    let mut states: Vec<_> = record.runs.iter().map(|(_, state)| state.as_str()).collect();
    states.sort_unstable();
    assert_eq!(states, ["cancelled", "succeeded", "succeeded"]);
}

/// A phase, its folder, and a statement in it that takes far longer than a test.
struct Phase {
    folder: &'static str,
    /// Steps before it.
    before: usize,
    slow: &'static str,
}

const PHASES: [Phase; 4] = [
    Phase {
        folder: "1_ingestion",
        before: 0,
        slow: "raw.slow AS SELECT * FROM synthetic_flows(2000000000, 1)",
    },
    Phase {
        folder: "2_transformation",
        before: 5,
        slow: "silver.slow AS SELECT count(*) AS n FROM raw.events a, raw.events b, raw.events c, raw.events d
               WHERE a.bytes + b.bytes > c.bytes + d.bytes",
    },
    Phase {
        folder: "3_training",
        before: 9,
        slow: "models.slow AS SELECT train_isolation_forest({x: ln(1.0 + bytes)}, event_id, {n_estimators: 200}) AS model
               FROM synthetic_flows(2000000000, 1)",
    },
    Phase {
        folder: "4_evaluation",
        before: 10,
        slow: "eval.slow AS SELECT sum(anomaly_score((SELECT model FROM models.isolation_forest), a.features)) AS s
               FROM silver.features a, raw.events b, raw.events c",
    },
];

/// SIGTERM ends a run within seconds, whatever it is doing.
fn stopped(backend: Backend, phase: &Phase) {
    let subject = Subject::new(backend);
    subject.becomes(State::New);
    let slow = format!("sql/{}/0_slow.sql", phase.folder);
    subject.project.file(&slow, format!("CREATE OR REPLACE TABLE {};\n", phase.slow));
    let mut run = Running::start(subject.exec(&[]));
    let line = match phase.before {
        0 => "run ".to_owned(),
        before => format!("{before}/{} ", STEPS + 1),
    };
    assert!(run.says(&line));
    let seed = SystemTime::UNIX_EPOCH.elapsed().expect("a clock").as_nanos() as u64;
    thread::sleep(Duration::from_millis(500).mul_f64(Random(seed).unit()));
    let sent = Instant::now();
    run.signal("TERM");
    let run = run.end();
    let took = sent.elapsed();
    assert!(took < Duration::from_secs(15), "it took {took:?}");
    assert_eq!(run.code, 130, "{}", run.stderr);
    assert!(run.stderr.contains("error: cancelled by SIGTERM"), "{}", run.stderr);
    let record = subject.record();
    assert_eq!(state_of(&record.published), State::Old);
    let (id, state) = record.runs.last().expect("the run");
    assert_eq!(state, "cancelled");
    assert_eq!(record.steps_of(id).len(), phase.before, "it was in {}", phase.folder);

    // The lease was given back, and what had finished is reused.
    std::fs::remove_file(subject.project.path(&slow)).expect("the slow script");
    let next = subject.ok(&["exec", "sql"]);
    assert!(next.contains(&format!("{} reused", phase.before)), "{next}");
    assert_eq!(subject.published(), State::New);
}
