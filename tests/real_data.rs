//! Detection quality on real data: each folder of `tests/pipelines/` runs with the real program, as
//! a user would run it, with ten seeds, and is held against scikit-learn 1.9.1's `IsolationForest`
//! on the same rows (100 trees, 256 samples). The mean of each metric must lie within one standard
//! deviation from scikit-learn's mean, which is 2.9 standard errors of the difference, as 50 seeds
//! of scikit-learn are known. Quantiles of all scores, of which 16 are compared, must lie within
//! four standard errors: among so many, one is further away by chance.
//!
//! The data is not part of the repository. It is looked for in `$PIPELINE_TEST_DATA`, else in
//! `../shared/data`; trials without their data are listed as ignored.
//!
//! `cargo test --test real_data -- luflow` runs one of them.

#![allow(clippy::expect_used, clippy::panic)]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use common::Project;
use libtest_mimic::{Arguments, Failed, Trial};

/// Seeds, from 1.
const SEEDS: u32 = 10;

/// Four standard errors of the difference between means of 10 and of 50, in standard deviations.
const QUANTILE_TOLERANCE: f64 = 1.386;

/// scikit-learn's values: case, name, mean, standard deviation from seed to seed.
const REFERENCES: &str = include_str!("fixtures/real_data/isolation_forest.csv");

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
    let references = references(case.name);
    assert!(!references.is_empty(), "no references");
    let quantiles = references.iter().filter_map(|(name, ..)| name.strip_prefix("score "));
    let quantiles = quantiles.map(|q| {
        let quantile = format!("percentile_cont({q}) WITHIN GROUP (ORDER BY score)");
        format!(" UNION ALL SELECT 'score {q}', {quantile} FROM eval.scores")
    });
    let query = format!("SELECT metric, value FROM eval.metrics{}", quantiles.collect::<String>());
    let mut found: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for seed in 1..=SEEDS {
        let seed = format!("seed={seed}");
        let mut arguments = vec!["exec", &scripts, "--param", &seed];
        arguments.extend(sources.iter().map(String::as_str));
        project.ok(&arguments);
        for row in project.rows(&query) {
            let (name, value) = row.split_once(',').ok_or("two columns")?;
            found.entry(name.to_owned()).or_default().push(value.parse()?);
        }
    }
    let mut differences = vec![];
    for (name, mean, deviation) in references {
        let values = found.get(name).map_or(&[][..], Vec::as_slice);
        let ours = values.iter().sum::<f64>() / values.len() as f64;
        let tolerance = match name.starts_with("score ") {
            true => QUANTILE_TOLERANCE * deviation,
            false => deviation,
        };
        // Where there are none, a mean is not a number and not within.
        let within = (ours - mean).abs() <= tolerance;
        if !within {
            let seen = format!("mean {ours:.5} of {values:.5?}");
            differences.push(format!("{name}: {seen}, expected {mean} +- {tolerance:.5}"));
        }
    }
    match differences.is_empty() {
        true => Ok(()),
        false => Err(differences.join("\n").into()),
    }
}

/// Name, mean and standard deviation of what is known of a case.
fn references(case: &str) -> Vec<(&'static str, f64, f64)> {
    let row = |line: &'static str| {
        let cells: Vec<&str> = line.split(',').collect();
        let [of, name, mean, deviation] = cells[..] else { panic!("four columns: {line}") };
        let number = |text: &str| text.parse().expect("a number");
        (of == case).then(|| (name, number(mean), number(deviation)))
    };
    REFERENCES.lines().skip(1).filter_map(row).collect()
}
