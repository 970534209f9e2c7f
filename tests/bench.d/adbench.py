"""Every detector with its default options on the data sets http and smtp of ADBench (Han, Hu, Huang,
Jiang, Zhao 2022), beside the figures that ADBench has published: a Markdown table.

How to read it: ADBench draws 10,000 rows of a set, fits on 70 % of them and judges on the other
3,000, of which about 12 (http) or 1 (smtp) are anomalies, three times; here all rows are judged,
2,211 of 567,498 and 30 of 95,156. Average precision on smtp is therefore incomparable: a mean of
three values that are near 0 or 1. On all rows, PyOD 3.6.7 and scikit-learn 1.9.1 agree with this
program (ROC AUC on http, smtp):

    copod              0.9915, 0.9120        nearest neighbours of 4,096 rows  0.0506, 0.9414
    ecod               0.9786, 0.8801        one-class SVM of 2,048 rows       0.9935, 0.8241
    hbos               0.9938, 0.8062        k-means, 8 clusters               0.1315, 0.8664
    pca                0.9960, 0.8077        Gaussian mixture, 4 components    0.0515, 0.8952
    cblof              0.9959, 0.8663

The attacks of http have few distinct values and so many rows that they are a cluster. What looks
for distance from neighbours, or gives each cluster a centroid or a component, takes them for
usual, here as in ADBench (KNN 0.0337).
"""

import csv
import io
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("PIPELINE_TEST_DATA", ROOT.parent / "shared/data")) / "adbench"
SETS = ("http", "smtp")
MEASURES = {
    "roc_auc": "ADBench_TableD4_AUCROC_unsupervised.csv",
    "average_precision": "ADBench_TableD5_AUCPR_unsupervised.csv",
}
# Detectors whose algorithm ADBench has, too.
PUBLISHED = {
    "copod": "COPOD",
    "ecod": "ECOD",
    "hbos": "HBOS",
    "isolation_forest": "IForest",
    "k_means, cblof": "CBLOF",
    "nearest_neighbors": "KNN",
    "one_class_svm": "OCSVM",
    "pca": "PCA",
}
# Options that make another algorithm of a detector.
VARIANTS = {"k_means": {"k_means, cblof": "{cblof: true}"}}
# Supervised detectors learn from the first rows and are judged on the others.
LEARNED = "event_id % 10 < 7"


def detectors():
    """(name, function, options, whether it needs labels) of every training function."""
    reference = (ROOT / "udfs/FUNCTIONS.md").read_text()
    for name, label in re.findall(r"^train_(\w+)\(features, (label, )?key", reference, re.M):
        for variant, options in {name: None, **VARIANTS.get(name, {})}.items():
            yield variant, f"train_{name}", options, bool(label)


def query(program, folder, text):
    command = [program, "sql", text, "--format", "csv"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"{text}\n{run.stderr}")
    return list(csv.DictReader(io.StringIO(run.stdout)))


def measure(program, folder, function, options, supervised):
    arguments = ["features", *(["is_attack"] if supervised else []), "event_id"]
    arguments += [options] if options else []
    learned, judged = (f"WHERE {LEARNED}", f"WHERE NOT {LEARNED}") if supervised else ("", "")
    measures = ", ".join(f"{measure}(is_attack, score) AS {measure}" for measure in MEASURES)
    [row] = query(program, folder, f"""
        SELECT {measures} FROM (
            SELECT is_attack, anomaly_score(
                (SELECT {function}({', '.join(arguments)}) FROM silver.features {learned}), features
            ) AS score
            FROM silver.features {judged})""")
    return {measure: float(row[measure]) for measure in MEASURES}


def published():
    """measure -> data set -> algorithm -> figure."""
    found = {}
    for measure, name in MEASURES.items():
        with (DATA / name).open() as file:
            found[measure] = {row["dataset"]: row for row in csv.DictReader(file)}
    return found


def run(program, scratch):
    missing = [str(path) for path in [DATA / f"{name}.parquet" for name in SETS] if not path.exists()]
    if missing:
        sys.exit(f"missing {', '.join(missing)}")
    for name in SETS:
        (scratch / name).mkdir()
        source = f"connections={DATA / name}.parquet"
        scripts = ROOT / "tests/pipelines/adbench"
        command = [program, "exec", scripts, "--until", "transformation", "--source", source]
        subprocess.run(command, cwd=scratch / name, check=True, capture_output=True)
    figures = published()
    head = [f"{name} {measure}" for name in SETS for measure in MEASURES]
    for wanted, title in (
        (False, "unsupervised: trained and judged on all rows"),
        (True, "supervised: trained on 70 % of the rows, judged on the others"),
    ):
        print("| " + " | ".join([title, *(f"{title} | ADBench" for title in head)]) + " |")
        print("|---" * (1 + 2 * len(head)) + "|")
        for name, function, options, supervised in detectors():
            if supervised != wanted:
                continue
            cells = [name]
            for data in SETS:
                values = measure(program, scratch / data, function, options, supervised)
                for which, value in values.items():
                    figure = figures[which][data].get(PUBLISHED.get(name, ""))
                    cells += [f"{value:.4f}", f"{float(figure) / 100:.4f}" if figure else ""]
            print("| " + " | ".join(cells) + " |", flush=True)
        print()
