//! Detection quality on real data: each folder of `tests/pipelines/` runs with the real program, as
//! a user would run it, with ten seeds, and is held against scikit-learn's `IsolationForest` on the
//! same rows with ten seeds (100 trees, 256 samples; `tests/fixtures/real_data/` has its results
//! and the script that made them). The mean of each metric must lie within one standard deviation
//! of scikit-learn's ten values from their mean.
//!
//! The data is not part of the repository. It is looked for in `$PIPELINE_TEST_DATA`, else in
//! `../shared/data`; trials without their data are listed as ignored.
//!
//! `cargo test --test real_data -- luflow` runs one of them.

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use common::Project;
use libtest_mimic::{Arguments, Failed, Trial};

/// Seeds from 1, as many as the script of the references takes.
const SEEDS: u32 = 10;

/// scikit-learn's metrics: case, metric, seed, value.
const METRICS: &str = include_str!("fixtures/real_data/isolation_forest.csv");

/// Quantiles of its scores, mean over seeds: case, quantile, value, standard deviation from seed to
/// seed.
const SCORES: &str = include_str!("fixtures/real_data/scores.csv");

/// How far a quantile of the scores may be from scikit-learn's, in standard errors of the
/// difference of two means of ten. As many as that because 16 quantiles are compared, whose standard
/// deviations are estimated from ten values: by chance alone, one in 70 suites would fail (18 degrees
/// of freedom). It is a difference of 0.01 in the median, and of 0.02 in the highest scores.
const STANDARD_ERRORS: f64 = 4.0;

/// One pipeline and its sources.
struct Case {
    name: &'static str,
    /// Folder below `tests/pipelines/`.
    folder: &'static str,
    /// Sources, with their locations below the folder of the data.
    sources: &'static [(&'static str, &'static str)],
}

const CASES: [Case; 5] = [
    Case { name: "http", folder: "adbench", sources: &[("connections", "adbench/http.parquet")] },
    Case { name: "smtp", folder: "adbench", sources: &[("connections", "adbench/smtp.parquet")] },
    Case {
        name: "nsl_kdd",
        folder: "nsl_kdd",
        sources: &[("train", "nsl_kdd/KDDTrain+.txt.zst"), ("test", "nsl_kdd/KDDTest+.txt.zst")],
    },
    Case { name: "luflow", folder: "luflow", sources: &[("flows", "luflow")] },
    Case {
        name: "ctu13",
        folder: "ctu13",
        sources: &[("flows", "ctu13/capture20110816.binetflow.zst")],
    },
];

fn main() -> ExitCode {
    let data = data_folder();
    let trials = CASES.into_iter().map(|case| {
        let missing = missing(&case, &data);
        let kind = match &missing {
            Some(path) => format!("needs {}", path.display()),
            None => String::new(),
        };
        let data = data.clone();
        Trial::test(case.name, move || check(&case, &data))
            .with_kind(kind)
            .with_ignored_flag(missing.is_some())
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

fn data_folder() -> PathBuf {
    #[allow(clippy::disallowed_methods, reason = "a setting of the tests, not of the driver")]
    match std::env::var_os("PIPELINE_TEST_DATA") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
    }
}

/// The first source that is not there.
fn missing(case: &Case, data: &Path) -> Option<PathBuf> {
    let mut paths = case.sources.iter().map(|(_, below)| data.join(below));
    paths.find(|path| !path.exists())
}

/// Runs the pipeline once per seed in one warehouse, so that only what the seed changes runs again.
fn check(case: &Case, data: &Path) -> Result<(), Failed> {
    let project = Project::new();
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pipelines");
    let scripts = scripts.join(case.folder).display().to_string();
    let sources = case.sources.iter().flat_map(|(name, below)| {
        let location = data.join(below);
        ["--source".to_owned(), format!("{name}={}", location.display())]
    });
    let sources: Vec<String> = sources.collect();
    let quantiles = rows_of(SCORES, case.name);
    let mut found: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    let mut scores = vec![];
    for seed in 1..=SEEDS {
        let seed = format!("seed={seed}");
        let mut arguments = vec!["exec", &scripts, "--param", &seed];
        arguments.extend(sources.iter().map(String::as_str));
        project.ok(&arguments);
        for row in project.rows("SELECT metric, value FROM eval.metrics") {
            let (metric, value) = row.split_once(',').ok_or("two columns")?;
            found.entry(metric.to_owned()).or_default().push(value.parse()?);
        }
        if !quantiles.is_empty() {
            let rows = project.rows("SELECT score FROM eval.scores ORDER BY event_id");
            scores.resize(rows.len(), 0.0);
            for (sum, score) in scores.iter_mut().zip(rows) {
                *sum += score.parse::<f64>()? / f64::from(SEEDS);
            }
        }
    }
    let mut differences = vec![];
    let mut compare = |what: &str, value: f64, reference: f64, tolerance: f64| {
        let line = format!("{what}: {value:.5}, scikit-learn {reference:.5} +- {tolerance:.5}");
        println!("{} {line}", case.name);
        // A missing value is NaN, which is not within.
        let within = (value - reference).abs() <= tolerance;
        if !within {
            differences.push(line);
        }
    };
    let mut references: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for row in rows_of(METRICS, case.name) {
        references.entry(row[0]).or_default().push(row[2].parse()?);
    }
    assert!(!references.is_empty(), "no references");
    for (metric, references) in references {
        assert_eq!(references.len(), SEEDS as usize, "{metric}");
        let (reference, deviation) = moments(&references);
        let values = found.get(metric).map_or(&[][..], Vec::as_slice);
        compare(metric, moments(values).0, reference, deviation);
    }
    scores.sort_by(f64::total_cmp);
    for row in quantiles {
        let [q, reference, deviation]: [f64; 3] =
            [row[0].parse()?, row[1].parse()?, row[2].parse()?];
        let tolerance = STANDARD_ERRORS * deviation * (2.0 / f64::from(SEEDS)).sqrt();
        compare(&format!("quantile {q}"), quantile(&scores, q), reference, tolerance);
    }
    match differences.is_empty() {
        true => Ok(()),
        false => Err(differences.join("\n").into()),
    }
}

/// The lines of a CSV file that begin with the name of a case, without it.
fn rows_of<'a>(csv: &'a str, case: &str) -> Vec<Vec<&'a str>> {
    let rows = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    rows.filter(|row| row[0] == case).map(|row| row[1..].to_vec()).collect()
}

/// Mean and standard deviation of a sample.
fn moments(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    (mean, (squares / (count - 1.0)).sqrt())
}

/// Between the nearest ranks of a sorted sample, as numpy has it.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let rank = q * (sorted.len() - 1) as f64;
    let [low, high] = [rank.floor(), rank.ceil()].map(|rank| sorted[rank as usize]);
    low + (high - low) * rank.fract()
}
