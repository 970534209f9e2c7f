use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::util::display::array_value_to_string;
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::StreamExt;

#[allow(clippy::disallowed_methods)]
fn context(batch_size: usize, partitions: usize) -> SessionContext {
    let config =
        SessionConfig::new().with_batch_size(batch_size).with_target_partitions(partitions);
    let ctx = SessionContext::new_with_config(config);
    crate::register_all(&ctx);
    ctx
}

async fn rows(ctx: &SessionContext, sql: &str) -> RecordBatch {
    let frame = ctx.sql(sql).await.unwrap();
    let schema = frame.schema().inner().clone();
    concat_batches(&schema, &frame.collect().await.unwrap()).unwrap()
}

#[tokio::test]
async fn rows_do_not_depend_on_batches_or_partitions() {
    let sql = "SELECT * FROM synthetic_flows(2000, 42) ORDER BY event_id";
    let expected = rows(&context(8192, 1), sql).await;
    for (batch_size, partitions) in [(1, 4), (3, 1), (100, 7), (8192, 4)] {
        assert_eq!(rows(&context(batch_size, partitions), sql).await, expected);
    }
}

#[tokio::test]
async fn a_projection_or_a_limit_changes_no_value() {
    let ctx = context(100, 4);
    let all = rows(&ctx, "SELECT * FROM synthetic_flows(1000, 42) ORDER BY event_id").await;
    for (position, field) in all.schema().fields().iter().enumerate() {
        let sql = format!(
            "SELECT \"{}\" FROM (SELECT * FROM synthetic_flows(1000, 42) LIMIT 321)",
            field.name()
        );
        let one = rows(&context(100, 1), &sql).await;
        assert_eq!(one.column(0), &all.column(position).slice(0, 321), "{}", field.name());
    }
}

#[tokio::test]
async fn counting_reads_statistics_and_order_needs_no_sort() {
    let ctx = context(100, 4);
    let plan = |sql: &'static str| {
        let ctx = ctx.clone();
        async move {
            let batch = rows(&ctx, sql).await;
            array_value_to_string(batch.column(1), 1).unwrap()
        }
    };
    let count = plan("EXPLAIN SELECT count(*) FROM synthetic_flows(1000000000000, 42)").await;
    assert!(!count.contains("SyntheticFlowsExec"), "{count}");
    for column in ["event_id", "timestamp"] {
        let sql = format!("EXPLAIN SELECT * FROM synthetic_flows(1000, 42) ORDER BY {column}");
        let sorted = plan(sql.leak()).await;
        assert!(!sorted.contains("SortExec"), "{sorted}");
    }
}

#[tokio::test]
async fn a_stream_starts_at_once_whatever_the_number_of_rows() {
    let frame = context(8192, 2).sql("SELECT * FROM synthetic_flows(1000000000000, 42)").await;
    let mut stream = frame.unwrap().execute_stream().await.unwrap();
    for _ in 0..10 {
        assert_eq!(stream.next().await.unwrap().unwrap().num_rows(), 8192);
    }
}
