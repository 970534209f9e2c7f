//! The objects that an overlay renders to, and the pods in them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use crate::common::postgres::announced;

/// The oldest version of Kubernetes that has all that is used, and a new one.
const VERSIONS: [&str; 2] = ["1.31", "1.37"];

/// What one folder renders to.
pub(crate) struct Overlay {
    pub(crate) name: &'static str,
    /// As `kubectl apply -k` sends it.
    pub(crate) text: String,
    pub(crate) objects: Vec<Value>,
    /// Kinds that Kubernetes itself does not have.
    pub(crate) unknown: Vec<String>,
}

/// A pod template, and the object that makes the pods.
pub(crate) struct Pod<'a> {
    pub(crate) owner: String,
    pub(crate) template: &'a Value,
}

/// The base and both overlays, each rendered and checked against the schemas once.
pub(crate) fn overlays() -> &'static [Overlay] {
    static OVERLAYS: OnceLock<Vec<Overlay>> = OnceLock::new();
    OVERLAYS.get_or_init(|| {
        let folders =
            [("base", "k8s/base"), ("dev", "k8s/overlays/dev"), ("prod", "k8s/overlays/prod")];
        folders.map(|(name, folder)| Overlay::render(name, folder)).into()
    })
}

pub(crate) fn overlay(name: &str) -> &'static Overlay {
    overlays().iter().find(|overlay| overlay.name == name).expect("an overlay")
}

impl Overlay {
    fn render(name: &'static str, folder: &str) -> Self {
        let kustomize = announced("PIPELINE_TEST_KUSTOMIZE");
        let mut words = kustomize.split_whitespace();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new(words.next().expect("a command"));
        let output = command.args(words).arg(root.join(folder)).output().expect("kustomize");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).expect("UTF-8");

        let mut python = Command::new(announced("PIPELINE_TEST_PYTHON"));
        python.arg(root.join("tests/fixtures/kubernetes.py")).args(VERSIONS);
        let mut check =
            python.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Python");
        check.stdin.take().expect("stdin").write_all(text.as_bytes()).expect("the objects");
        let output = check.wait_with_output().expect("Python ends");
        assert!(output.status.success(), "{name} does not fit the schemas");
        let checked: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let objects = checked["objects"].as_array().expect("objects").clone();
        let unknown = strings(&checked["unknown"]);
        Self { name, text, objects, unknown }
    }

    pub(crate) fn kind(&self, kind: &'static str) -> impl Iterator<Item = &Value> {
        self.objects.iter().filter(move |object| object["kind"] == kind)
    }

    /// The object of a kind whose name is `name`, or that with a hash behind it.
    pub(crate) fn find(&self, kind: &'static str, name: &str) -> Option<&Value> {
        self.kind(kind).find(|object| {
            let found = object["metadata"]["name"].as_str().expect("a name");
            found == name
                || found
                    .rsplit_once('-')
                    .is_some_and(|(stem, hash)| stem == name && hash.len() == 10)
        })
    }

    /// Every pod template.
    pub(crate) fn pods(&self) -> Vec<Pod<'_>> {
        let templates = self.objects.iter().filter_map(|object| {
            let template = match object["kind"].as_str() {
                Some("CronJob") => &object["spec"]["jobTemplate"]["spec"]["template"],
                Some("Job" | "StatefulSet" | "Deployment" | "DaemonSet") => {
                    &object["spec"]["template"]
                }
                _ => return None,
            };
            let owner =
                format!("{} {} of {}", object["kind"], object["metadata"]["name"], self.name);
            Some(Pod { owner, template })
        });
        templates.collect()
    }

    /// The specifications of the Jobs that run the pipeline.
    pub(crate) fn runs(&self) -> Vec<&Value> {
        let scheduled =
            self.find("CronJob", "pipeline").map(|job| &job["spec"]["jobTemplate"]["spec"]);
        let now = self.find("Job", "pipeline").map(|job| &job["spec"]);
        scheduled.into_iter().chain(now).collect()
    }

    /// The settings of the program that are no secrets.
    pub(crate) fn settings(&self) -> BTreeMap<String, String> {
        let map = self.find("ConfigMap", "pipeline-settings").expect("the settings");
        let values = map["data"].as_object().expect("data").iter();
        values
            .map(|(name, value)| (name.clone(), value.as_str().expect("text").to_owned()))
            .collect()
    }
}

impl Pod<'_> {
    pub(crate) fn spec(&self) -> &Value {
        &self.template["spec"]
    }

    /// Its containers, those that run before the others too.
    pub(crate) fn containers(&self) -> Vec<&Value> {
        let lists = [&self.spec()["initContainers"], &self.spec()["containers"]];
        lists.into_iter().filter_map(Value::as_array).flatten().collect()
    }

    pub(crate) fn labels(&self) -> BTreeSet<(String, String)> {
        labels(&self.template["metadata"]["labels"])
    }
}

pub(crate) fn labels(value: &Value) -> BTreeSet<(String, String)> {
    let pairs = value.as_object().into_iter().flatten();
    pairs.map(|(key, value)| (key.clone(), value.as_str().expect("text").to_owned())).collect()
}

pub(crate) fn strings(list: &Value) -> Vec<String> {
    let items = list.as_array().into_iter().flatten();
    items.map(|item| item.as_str().expect("text").to_owned()).collect()
}

/// A quantity such as `2Gi` or `500m` in its unit.
pub(crate) fn quantity(value: &Value) -> f64 {
    let text = value.as_str().unwrap_or_else(|| panic!("{value} is no quantity"));
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let factor = match &text[split..] {
        "" => 1.0,
        "m" => 1e-3,
        "Mi" => 1024_f64.powi(2),
        "Gi" => 1024_f64.powi(3),
        unit => panic!("unit {unit}"),
    };
    text[..split].parse::<f64>().expect("a number") * factor
}

/// A value of a secret.
pub(crate) fn base64(value: &Value) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    // Long ones come in lines.
    let digits = value.as_str().expect("text").bytes().filter(|digit| !b"=\n".contains(digit));
    let bits: Vec<u8> = digits
        .flat_map(|digit| {
            let value = DIGITS.iter().position(|d| *d == digit).expect("base64") as u8;
            (0..6).rev().map(move |bit| value >> bit & 1)
        })
        .collect();
    let bytes = bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |sum, bit| sum << 1 | bit));
    String::from_utf8(bytes.collect()).expect("UTF-8")
}
