use std::path::Path;

use datafusion::arrow::util::display::array_value_to_string;

use super::*;
use crate::doc::Kind;

#[test]
fn names_are_unique_and_sorted() {
    let names: Vec<_> = functions().iter().map(|function| function.doc.name).collect();
    assert!(names.windows(2).all(|pair| pair[0] < pair[1]), "{names:?}");
}

#[test]
fn a_function_is_registered_under_the_name_and_kind_of_its_documentation() {
    for Function { doc, implementation } in functions() {
        let (name, kind) = match &implementation {
            Implementation::Scalar(udf) => (udf.name(), Kind::Scalar),
            Implementation::Aggregate(udaf) => (udaf.name(), Kind::Aggregate),
            Implementation::Table(_) => (doc.name, Kind::Table),
        };
        assert_eq!((name, kind), (doc.name, doc.kind));
    }
}

#[test]
fn documentation_is_complete() {
    let functions = functions();
    for Function { doc, .. } in &functions {
        let fields = [
            doc.summary,
            doc.syntax,
            doc.returns,
            doc.nulls,
            doc.empty,
            doc.errors,
            doc.determinism,
            doc.cost,
            doc.example,
            doc.example_result,
            doc.source,
            doc.since,
        ];
        let arguments = doc.arguments.iter().flat_map(|a| [a.name, a.types, a.description]);
        for text in fields.into_iter().chain(arguments) {
            assert!(!text.trim().is_empty(), "{}: an empty field", doc.name);
            assert!(!text.contains("  "), "{}: double space in {text:?}", doc.name);
        }
        assert!(doc.syntax.starts_with(&format!("{}(", doc.name)), "{}", doc.syntax);
        assert!(!doc.arguments.is_empty() && !doc.related.is_empty(), "{}", doc.name);
        for argument in doc.arguments {
            assert!(doc.syntax.contains(argument.name), "{} in {}", argument.name, doc.syntax);
        }
        for related in doc.related {
            let known = functions.iter().any(|function| function.doc.name == *related);
            assert!(known && *related != doc.name, "{}: related {related}", doc.name);
        }
    }
}

#[tokio::test]
async fn examples_give_their_documented_result() {
    #[allow(clippy::disallowed_methods)]
    let ctx = SessionContext::new();
    register_all(&ctx);
    for Function { doc, .. } in functions() {
        let batches = ctx.sql(doc.example).await.unwrap().collect().await.unwrap();
        let mut lines = vec![];
        for batch in batches {
            for row in 0..batch.num_rows() {
                let cell = |column| match batch.column(column).is_null(row) {
                    true => "NULL".to_string(),
                    false => array_value_to_string(batch.column(column), row).unwrap(),
                };
                lines.push((0..batch.num_columns()).map(cell).collect::<Vec<_>>().join(" "));
            }
        }
        assert_eq!(lines.join("\n"), doc.example_result, "{}", doc.example);
    }
}

#[test]
fn every_function_has_its_sql_tests() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/slt");
    for Function { doc, .. } in functions() {
        let file = folder.join(format!("{}.slt", doc.name));
        assert!(file.is_file(), "{} is missing", file.display());
    }
}

/// `UPDATE_DOCS=1 cargo test --workspace --lib reference` writes the page anew.
#[test]
#[allow(clippy::disallowed_methods)]
fn the_reference_is_that_of_the_code() {
    let sections: Vec<_> = functions().iter().map(|function| function.doc.to_markdown()).collect();
    let page = format!(
        "# SQL functions\n\nMade from the code by a test; every example is run.\n\n{}",
        sections.join("\n")
    );
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("FUNCTIONS.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), page);
}
