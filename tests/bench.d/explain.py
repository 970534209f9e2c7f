"""What an explanation costs, beside a score: the highest score of a million events against the
highest contribution to one, with the forests. Costs are seconds of processor time, which other
programs disturb least."""

import os
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
    models = ""
    for forest in FORESTS:
        label = "is_attack, " if forest == "random_forest" else ""
        models += f"CREATE OR REPLACE TABLE models.{forest} AS " \
            f"SELECT train_{forest}(features, {label}event_id) AS model FROM silver.features;\n"
    write("3_training/1_models.sql", models)


def seconds(folder, *command):
    """Of processor time, of all threads."""
    child = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}")
    return usage.ru_utime + usage.ru_stime


def run(program, scratch):
    scripts(scratch)
    seconds(scratch, program, "exec", "sql")
    print(f"{ROWS:,} events, 6 features, 100 trees, least of {REPEATS} runs\n")
    print("| forest | rows per batch | score, s | explain top 3 | explain all |")
    print("|---|---|---|---|---|")
    for forest in FORESTS:
        for batch in (8192, 1024):
            least = dict.fromkeys(WHAT, float("inf"))
            for name in [*WHAT] * REPEATS:
                call = WHAT[name].format(model=f"(SELECT model FROM models.{forest})")
                query = f"SELECT max({call}) FROM silver.features"
                cost = seconds(scratch, program, "sql", query, "--batch-size", str(batch))
                least[name] = min(cost, least[name])
            score, *others = least.values()
            ratios = " | ".join(f"{other / score:.2f} x" for other in others)
            print(f"| {forest} | {batch} | {score:.2f} | {ratios} |", flush=True)
    print()
