use super::*;

fn sqls(text: &str) -> Vec<String> {
    parse("1_a/b.sql", text).unwrap().into_iter().map(|statement| statement.sql).collect()
}

#[test]
fn statements_end_at_semicolons_outside_of_text_and_comments() {
    let text = "-- one; not two\nSELECT ';' AS a; /* ; */\n\nSELECT 2 -- trailing ; comment\n;;\n";
    assert_eq!(sqls(text), ["SELECT ';' AS a", "SELECT 2"]);
}

#[test]
fn places_are_those_in_the_file() {
    let statements = parse("2_x/y.sql", "\n  -- first\n  SELECT 1;\nSELECT\n 2;").unwrap();
    let places: Vec<_> = statements.iter().map(|s| (s.line, s.column)).collect();
    assert_eq!(places, [(3, 3), (4, 1)]);
}

#[test]
fn text_with_any_characters_is_cut_at_the_right_place() {
    assert_eq!(sqls("SELECT 'äöü 😀' AS ü; SELECT 'ß'"), ["SELECT 'äöü 😀' AS ü", "SELECT 'ß'"]);
    assert_eq!(sqls("SELECT 1;\r\nSELECT 2;\r\n"), ["SELECT 1", "SELECT 2"]);
}

#[test]
fn statements_of_the_pipeline_are_parsed() {
    for text in [
        "ASSERT (SELECT count(*) FROM a.b) > 0 AS 'empty'",
        "CREATE OR REPLACE VIEW silver.a AS SELECT {x: 1, y: $p} AS f FROM raw.b",
        "CREATE EXTERNAL TABLE landing.x STORED AS CSV LOCATION '/x' OPTIONS ('format.has_header' 'true')",
        "COPY (SELECT 1) TO '/tmp/x.parquet'",
        "SET datafusion.execution.batch_size = 100",
        "DROP VIEW IF EXISTS silver.a",
    ] {
        assert_eq!(sqls(text), [text]);
    }
}

#[test]
fn syntax_errors_name_the_place_in_the_file() {
    let error = parse("1_a/b.sql", "SELECT 1;\n\nSELECT 2\n  FROM x WHERE )").unwrap_err();
    let report = error.report();
    assert!(report.contains("1_a/b.sql:4:16"), "{report}");
    assert!(report.contains("    4 |   FROM x WHERE )\n      |                ^"), "{report}");
    let open_quote = parse("b.sql", "SELECT 1;\nSELECT 'open").unwrap_err().report();
    assert!(open_quote.contains("b.sql:2:8"), "{open_quote}");
}

#[test]
fn the_folder_is_the_phase() {
    for (file, expected) in [
        ("1_ingestion/1_a.sql", "ingestion"),
        ("02-training/x/y.sql", "training"),
        ("evaluation/x.sql", "evaluation"),
        ("x.sql", "main"),
    ] {
        assert_eq!(phase(file), expected);
    }
}

#[test]
fn files_run_by_number_then_by_name() {
    let mut names = ["b.sql", "10_x.sql", "2_y.sql", "a.sql", "2_a.sql"];
    names.sort_by(|a, b| in_order(a, b));
    assert_eq!(names, ["2_a.sql", "2_y.sql", "10_x.sql", "a.sql", "b.sql"]);
}
