"""What an explanation costs, beside a score: the highest score of a million events against the
highest contribution to one, with the forests."""

import csv
import io
import subprocess
import sys

ROWS = 1_000_000
REPEATS = 3
FORESTS = ("isolation_forest", "extended_isolation_forest", "random_forest")
WHAT = {
    "score": "anomaly_score({model}, features)",
    "top_3": "explain_anomaly({model}, features, 3)[1]['contribution']",
    "all": "explain_anomaly({model}, features)[1]['contribution']",
}
FEATURES = """
CREATE OR REPLACE TABLE silver.features AS
SELECT event_id, label <> 'benign' AS is_attack, {
    ln_bytes: ln(1.0 + bytes), ln_packets: ln(1.0 + packets), ln_duration: ln(1.0 + duration),
    bytes_per_packet: bytes / packets, dst_port: dst_port, hour: date_part('hour', "timestamp")
} AS features
FROM landing.events;
"""


def scripts(folder):
    def write(name, text):
        path = folder / "sql" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    source = f"SELECT * FROM synthetic_flows({ROWS}, 42)"
    write("pipeline.toml", f'warehouse = "../warehouse"\n[sources.events]\nquery = "{source}"\n')
    write("1_ingestion/1_features.sql", FEATURES)
    models, steps = "", ""
    for forest in FORESTS:
        label = "is_attack, " if forest == "random_forest" else ""
        models += f"CREATE OR REPLACE TABLE models.{forest} AS " \
            f"SELECT train_{forest}(features, {label}event_id) AS model FROM silver.features;\n"
        for name, call in WHAT.items():
            call = call.format(model=f"(SELECT model FROM models.{forest})")
            steps += f"CREATE OR REPLACE TABLE eval.{forest}_{name} AS " \
                f"SELECT max({call}) AS most FROM silver.features;\n"
    write("3_training/1_models.sql", models)
    write("4_evaluation/1_costs.sql", steps)


def execute(program, folder, *arguments):
    run = subprocess.run([program, "exec", *arguments], cwd=folder, capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(run.stderr)


def seconds(program, folder):
    """Of each relation, in the last run."""
    query = (
        "SELECT relation, duration_seconds FROM audit.steps "
        "WHERE run = (SELECT max(id) FROM audit.runs)"
    )
    command = [program, "sql", query, "--format", "csv"]
    output = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    rows = csv.DictReader(io.StringIO(output.stdout))
    return {row["relation"].removeprefix("eval."): float(row["duration_seconds"]) for row in rows}


def run(program, scratch):
    scripts(scratch)
    execute(program, scratch, "sql", "--until", "training")
    print(f"{ROWS:,} events, 6 features, 100 trees, one thread, least of {REPEATS} runs\n")
    print("| forest | rows per batch | score, s | explain top 3 | explain all |")
    print("|---|---|---|---|---|")
    for batch in (8192, 1024):
        least = {}
        for _ in range(REPEATS):
            settings = ("--force", "--partitions", "1", "--batch-size", str(batch))
            execute(program, scratch, "sql/4_evaluation", *settings)
            for step, time in seconds(program, scratch).items():
                least[step] = min(time, least.get(step, time))
        for forest in FORESTS:
            score, *others = (least[f"{forest}_{name}"] for name in WHAT)
            ratios = " | ".join(f"{other / score:.2f} x" for other in others)
            print(f"| {forest} | {batch} | {score:.2f} | {ratios} |", flush=True)
    print()
