//! What the overlays render to: complete, consistent, and equal to what the program does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use pipeline::error::ErrorKind;
use serde_json::{Value, json};

use crate::objects::{Overlay, labels, overlay, overlays, strings};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_object_fits_the_schemas() {
    for overlay in overlays() {
        assert!(overlay.objects.len() >= 6, "{}", overlay.name);
        let foreign: &[&str] = if overlay.name == "prod" { &["ExternalSecret"] } else { &[] };
        assert_eq!(overlay.unknown, foreign, "{}", overlay.name);
    }
}

/// The files of `sql/` that make the pipeline, with their text.
fn scripts() -> BTreeMap<String, String> {
    fn add(folder: &Path, found: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                add(&path, found);
            } else if !path.ends_with("kustomization.yaml") {
                let name = path.strip_prefix(root().join("sql")).expect("below sql");
                let text = fs::read_to_string(&path).expect("text");
                found.insert(name.to_str().expect("UTF-8").to_owned(), text);
            }
        }
    }
    let mut found = BTreeMap::new();
    add(&root().join("sql"), &mut found);
    found
}

#[test]
fn a_pod_finds_every_script_at_its_path() {
    let scripts = scripts();
    assert!(scripts.contains_key("pipeline.toml") && scripts.len() >= 10);
    for overlay in overlays() {
        let map = overlay.find("ConfigMap", "pipeline-scripts").expect("the scripts");
        for run in overlay.runs() {
            let volumes = run["template"]["spec"]["volumes"].as_array().expect("volumes");
            let volume =
                volumes.iter().find(|volume| volume["name"] == "scripts").expect("scripts");
            assert_eq!(volume["configMap"]["name"], map["metadata"]["name"]);
            let items = volume["configMap"]["items"].as_array().expect("items").iter();
            let mounted: BTreeMap<String, String> = items
                .map(|item| {
                    let key = item["key"].as_str().expect("a key");
                    let text = map["data"][key].as_str().unwrap_or_else(|| panic!("no key {key}"));
                    (item["path"].as_str().expect("a path").to_owned(), text.to_owned())
                })
                .collect();
            let names =
                |files: &BTreeMap<String, String>| files.keys().cloned().collect::<Vec<_>>();
            assert_eq!(
                names(&mounted),
                names(&scripts),
                "sql/kustomization.yaml, k8s/base/cronjob.yaml"
            );
            assert_eq!(mounted, scripts);
        }
        let keys = map["data"].as_object().expect("data").len();
        assert_eq!(keys, scripts.len(), "sql/kustomization.yaml has more than a pod mounts");
    }
}

/// Every kind of error; a new one does not compile before it is here.
fn kinds() -> Vec<ErrorKind> {
    use ErrorKind::*;
    match Internal {
        AssertionFailed | Configuration | Sql | Data | Io | Conflict | Resources | Cancelled
        | Internal => {}
    }
    vec![AssertionFailed, Configuration, Sql, Data, Io, Conflict, Resources, Cancelled, Internal]
}

#[test]
fn jobs_end_and_retry_as_the_exit_codes_say() {
    use ErrorKind::*;
    let helps_a_retry = |kind: &ErrorKind| matches!(kind, Io | Conflict | Resources | Cancelled);
    let (retried, final_): (Vec<_>, Vec<_>) = kinds().into_iter().partition(helps_a_retry);
    let codes = |kinds: Vec<ErrorKind>| -> BTreeSet<u64> {
        kinds.into_iter().map(|kind| kind.exit_code().into()).collect()
    };
    for overlay in overlays() {
        let migrations = overlay.find("Job", "migrate").map(|job| &job["spec"]);
        for run in overlay.runs().into_iter().chain(migrations) {
            let rules = run["podFailurePolicy"]["rules"].as_array().expect("rules");
            let [ends, ignored] = &rules[..] else { panic!("{rules:?}") };
            assert_eq!(ends["action"], "FailJob");
            assert_eq!(ends["onExitCodes"]["operator"], "In");
            // psql has other codes.
            let only = Some("migrate").filter(|_| Some(run) == migrations);
            assert_eq!(ends["onExitCodes"]["containerName"].as_str(), only);
            let values = ends["onExitCodes"]["values"].as_array().expect("codes");
            let values: BTreeSet<u64> = values.iter().filter_map(Value::as_u64).collect();
            assert_eq!(values, codes(final_.clone()));
            assert!(values.is_disjoint(&codes(retried.clone())));
            assert_eq!(ignored["action"], "Ignore");
            let disrupted = json!([{"type": "DisruptionTarget", "status": "True"}]);
            assert_eq!(ignored["onPodConditions"], disrupted);

            let number = |key: &str| run[key].as_u64().unwrap_or_else(|| panic!("{key}"));
            assert!((1..=10).contains(&number("backoffLimit")));
            assert!(number("activeDeadlineSeconds") >= 600);
            assert!(number("ttlSecondsAfterFinished") > 0);
            assert_eq!(run["podReplacementPolicy"], "Failed");
            assert_eq!(run["template"]["spec"]["restartPolicy"], "Never");
        }
    }
}

#[test]
fn a_job_by_hand_is_the_job_by_schedule() {
    for overlay in overlays() {
        let cron = overlay.find("CronJob", "pipeline").expect("a CronJob");
        assert_eq!(cron["spec"]["concurrencyPolicy"], "Forbid", "{}", overlay.name);
        assert_eq!(cron["spec"]["suspend"], json_if(overlay.name == "dev"), "{}", overlay.name);
        match (overlay.name, overlay.find("Job", "pipeline")) {
            ("prod", None) => {}
            ("base" | "dev", Some(job)) => {
                assert_eq!(job["spec"], cron["spec"]["jobTemplate"]["spec"], "{}", overlay.name);
            }
            (name, job) => panic!("{name}: {job:?}"),
        }
    }
}

fn json_if(truth: bool) -> Value {
    if truth { Value::Bool(true) } else { Value::Null }
}

/// The variables that the program declares.
fn declared() -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("src/config/env.rs")).expect("env.rs");
    let names = text.lines().filter_map(|line| line.strip_prefix("pub const "));
    names.map(|line| line.split('"').nth(1).expect("a name").to_owned()).collect()
}

#[test]
fn every_variable_is_known_to_the_program() {
    let declared = declared();
    assert!(declared.contains("PIPELINE_WAREHOUSE"));
    for overlay in overlays() {
        for pod in overlay.pods() {
            for container in pod.containers() {
                let image = container["image"].as_str().expect("an image");
                if !image.starts_with("pipeline:") {
                    continue;
                }
                let named = container["env"].as_array().into_iter().flatten();
                let named =
                    named.map(|variable| variable["name"].as_str().expect("a name").to_owned());
                for name in named.chain(overlay.settings().into_keys()) {
                    assert!(declared.contains(&name), "{}: {name}", pod.owner);
                }
                let from = container["envFrom"].as_array().expect("envFrom");
                let settings = overlay.find("ConfigMap", "pipeline-settings").expect("settings");
                assert_eq!(from.len(), 1, "{}", pod.owner);
                assert_eq!(from[0]["configMapRef"]["name"], settings["metadata"]["name"]);
            }
        }
    }
}

#[test]
fn the_memory_limit_follows_the_container() {
    for overlay in overlays() {
        let limit = &overlay.settings()["PIPELINE_MEMORY_LIMIT"];
        let percent: f64 = limit.strip_suffix('%').expect("a share").parse().expect("a number");
        assert!((30.0..=80.0).contains(&percent), "{limit}");
    }
}

#[test]
fn what_is_referred_to_is_there() {
    for overlay in overlays() {
        // The base leaves the secret to its overlays; production has it made by an operator.
        let outside: &[(&str, &str)] = match overlay.name {
            "base" => &[("Secret", "pipeline")],
            "prod" => &[("ConfigMap", "postgres-ca")],
            _ => &[],
        };
        for (kind, name, key) in references(overlay) {
            if outside.contains(&(kind, name.as_str())) {
                continue;
            }
            let made =
                overlay.kind("ExternalSecret").find(|made| made["spec"]["target"]["name"] == name);
            let keys = match (kind, made) {
                ("Secret", Some(made)) => &made["spec"]["target"]["template"]["data"],
                _ => {
                    let found = overlay.find(kind, &name);
                    &found.unwrap_or_else(|| panic!("{}: no {kind} {name}", overlay.name))["data"]
                }
            };
            if let Some(key) = key {
                assert!(keys[&key].is_string(), "{}: {kind} {name} has no {key}", overlay.name);
            }
        }
        for pod in overlay.pods() {
            let account = pod.spec()["serviceAccountName"].as_str();
            assert!(account.is_none_or(|name| overlay.find("ServiceAccount", name).is_some()));
            let volumes = pod.spec()["volumes"].as_array().into_iter().flatten();
            let mut names: Vec<_> = volumes.map(|volume| volume["name"].clone()).collect();
            // A StatefulSet's own volume.
            if pod.owner.starts_with("\"StatefulSet\"") {
                names.push("data".into());
            }
            for container in pod.containers() {
                for mount in container["volumeMounts"].as_array().into_iter().flatten() {
                    assert!(names.contains(&mount["name"]), "{}: {mount}", pod.owner);
                }
            }
        }
        for service in overlay.kind("Service") {
            let wanted = labels(&service["spec"]["selector"]);
            assert!(overlay.pods().iter().any(|pod| wanted.is_subset(&pod.labels())), "{service}");
        }
        for policy in overlay.kind("NetworkPolicy") {
            let wanted = labels(&policy["spec"]["podSelector"]["matchLabels"]);
            assert!(overlay.pods().iter().any(|pod| wanted.is_subset(&pod.labels())), "{policy}");
        }
    }
}

/// Kind, name and key of every ConfigMap and Secret that a pod uses.
fn references(overlay: &Overlay) -> Vec<(&'static str, String, Option<String>)> {
    fn walk(value: &Value, found: &mut Vec<(&'static str, String, Option<String>)>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
            Value::Object(fields) => {
                for (field, value) in fields {
                    let kind = match field.as_str() {
                        "secretKeyRef" | "secretRef" | "secret" => "Secret",
                        "configMapKeyRef" | "configMapRef" | "configMap" => "ConfigMap",
                        _ => {
                            walk(value, found);
                            continue;
                        }
                    };
                    let name = value["name"].as_str().or(value["secretName"].as_str());
                    let name = name.unwrap_or_else(|| panic!("{field}: {value}")).to_owned();
                    let items = value["items"].as_array().into_iter().flatten();
                    let keys = items.map(|item| &item["key"]).chain(value.get("key"));
                    found.extend(keys.map(|key| {
                        (kind, name.clone(), Some(key.as_str().expect("a key").to_owned()))
                    }));
                    found.push((kind, name, None));
                }
            }
            _ => {}
        }
    }
    let mut found = vec![];
    overlay.pods().iter().for_each(|pod| walk(pod.template, &mut found));
    assert!(!found.is_empty());
    found
}

#[test]
fn dev_runs_everything_inside_the_cluster() {
    let dev = overlay("dev");
    for name in ["minio", "postgres"] {
        let set = dev.find("StatefulSet", name).expect("a StatefulSet");
        assert_eq!(set["spec"]["volumeClaimTemplates"].as_array().expect("volumes").len(), 1);
        let container = &set["spec"]["template"]["spec"]["containers"][0];
        for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
            assert!(container[probe].is_object(), "{name}: {probe}");
        }
        assert!(dev.find("Service", name).is_some(), "{name}");
    }
    // The Job makes the bucket that the warehouse is in, and the run waits for it.
    let settings = dev.settings();
    let warehouse = settings["PIPELINE_WAREHOUSE"].strip_prefix("s3://").expect("S3");
    let bucket = format!("minio/{}", warehouse.split('/').next().expect("a bucket"));
    let makes = dev.find("Job", "buckets").expect("the Job");
    let command = |container: &Value| strings(&container["command"]).join(" ");
    assert!(command(&makes["spec"]["template"]["spec"]["containers"][0]).contains(&bucket));
    for run in dev.runs() {
        let before = run["template"]["spec"]["initContainers"].as_array().expect("containers");
        let names: Vec<_> =
            before.iter().filter_map(|container| container["name"].as_str()).collect();
        assert_eq!(names, ["wait-for-bucket", "wait-for-migration"]);
        assert!(command(&before[0]).contains(&bucket));
    }
    assert!(settings["AWS_ENDPOINT_URL"].contains("//minio:9000"));
}

#[test]
fn images_are_pinned_and_the_program_is_this_version() {
    for overlay in overlays() {
        for pod in overlay.pods() {
            for container in pod.containers() {
                let image = container["image"].as_str().expect("an image");
                let (name, tag) = image.rsplit_once(':').expect("a tag");
                assert_ne!(tag, "latest");
                let first = name.split('/').next().expect("a name");
                assert!(!first.contains(['.', ':']), "{image} names a registry");
                if name == "pipeline" {
                    assert_eq!(tag, env!("CARGO_PKG_VERSION"), "{}", pod.owner);
                }
            }
        }
    }
}
