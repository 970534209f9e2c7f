//! Anomaly detection in a bare DataFusion session: train, score, explain and measure in SQL.
//!
//! `cargo run --package udfs --example detect`

use datafusion::error::Result;
use datafusion::prelude::SessionContext;

const STATEMENTS: [&str; 4] = [
    // A week of network events, one in a hundred an attack. Labels are for measuring alone.
    "CREATE VIEW flows AS
     SELECT event_id, label <> 'benign' AS is_attack,
            {ln_bytes: ln(1.0 + bytes), ln_packets: ln(1.0 + packets),
             ln_duration: ln(1.0 + duration), protocol: protocol} AS features
     FROM synthetic_flows(50000, 42)",
    "CREATE TABLE model AS SELECT train_isolation_forest(features, event_id) AS model FROM flows",
    "CREATE TABLE scores AS
     SELECT event_id, is_attack, features,
            anomaly_score((SELECT model FROM model), features) AS score
     FROM flows",
    "CREATE VIEW worst AS SELECT * FROM scores ORDER BY score DESC, event_id LIMIT 3",
];

const QUERIES: [&str; 3] = [
    "SELECT round(roc_auc(is_attack, score), 3) AS roc_auc,
            round(average_precision(is_attack, score), 3) AS average_precision FROM scores",
    "SELECT event_id, is_attack, round(score, 3) AS score,
            explain_anomaly((SELECT model FROM model), features, 2) AS reasons FROM worst",
    "SELECT i.algorithm, i.training_rows, i.digest FROM (SELECT model_info(model) AS i FROM model)",
];

#[tokio::main]
async fn main() -> Result<()> {
    #[allow(clippy::disallowed_methods, reason = "an application of its own")]
    let ctx = SessionContext::new();
    udfs::register_all(&ctx);
    for statement in STATEMENTS {
        ctx.sql(statement).await?.collect().await?;
    }
    for query in QUERIES {
        ctx.sql(query).await?.show().await?;
    }
    Ok(())
}

#[test]
fn it_runs() -> Result<()> {
    main()
}
