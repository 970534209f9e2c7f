//! What a pod may do: nothing that it need not.

use serde_json::{Value, json};

use crate::objects::{base64, overlay, overlays, quantity};

#[test]
fn every_container_is_locked_down() {
    for overlay in overlays() {
        for pod in overlay.pods() {
            let owner = &pod.owner;
            let context = &pod.spec()["securityContext"];
            assert_eq!(context["runAsNonRoot"], true, "{owner}");
            assert!(context["runAsUser"].as_u64().is_some_and(|user| user > 0), "{owner}");
            assert_eq!(context["seccompProfile"]["type"], "RuntimeDefault", "{owner}");
            assert_eq!(pod.spec()["automountServiceAccountToken"], false, "{owner}");
            for sharing in ["hostNetwork", "hostPID", "hostIPC"] {
                assert_eq!(pod.spec()[sharing], Value::Null, "{owner}");
            }
            for volume in pod.spec()["volumes"].as_array().into_iter().flatten() {
                assert_eq!(volume["hostPath"], Value::Null, "{owner}");
            }
            for container in pod.containers() {
                let context = &container["securityContext"];
                assert_eq!(context["allowPrivilegeEscalation"], false, "{owner}");
                assert_eq!(context["readOnlyRootFilesystem"], true, "{owner}");
                assert_eq!(context["capabilities"], json!({"drop": ["ALL"]}), "{owner}");
                assert_eq!(context["privileged"], Value::Null, "{owner}");
                assert_eq!(context["runAsUser"], Value::Null, "{owner}");
            }
        }
        for namespace in overlay.kind("Namespace") {
            let labels = &namespace["metadata"]["labels"];
            assert_eq!(labels["pod-security.kubernetes.io/enforce"], "restricted");
        }
    }
}

#[test]
fn every_container_has_requests_and_limits() {
    for overlay in overlays() {
        for pod in overlay.pods() {
            for container in pod.containers() {
                let (requests, limits) =
                    (&container["resources"]["requests"], &container["resources"]["limits"]);
                for resource in ["cpu", "memory"] {
                    let (request, limit) =
                        (quantity(&requests[resource]), quantity(&limits[resource]));
                    assert!(0.0 < request && request <= limit, "{}: {container}", pod.owner);
                }
            }
        }
        for run in overlay.runs() {
            let spec = &run["template"]["spec"];
            let resources = &spec["containers"][0]["resources"];
            assert_eq!(resources["requests"]["memory"], resources["limits"]["memory"]);
            let volumes = spec["volumes"].as_array().expect("volumes");
            let spill = volumes.iter().find(|volume| volume["name"] == "spill").expect("spill");
            let spill = quantity(&spill["emptyDir"]["sizeLimit"]);
            assert!(spill < quantity(&resources["limits"]["ephemeral-storage"]));
        }
    }
}

#[test]
fn every_run_has_a_network_policy() {
    for overlay in overlays() {
        for pod in overlay.pods() {
            let chosen = overlay.kind("NetworkPolicy").any(|policy| {
                let selector = &policy["spec"]["podSelector"];
                let labels = pod.labels();
                let listed = selector["matchExpressions"].as_array().into_iter().flatten();
                let mut listed = listed.map(|expression| {
                    let key = expression["key"].as_str().expect("a key");
                    let values = expression["values"].as_array().expect("values").iter();
                    values
                        .filter_map(Value::as_str)
                        .any(|v| labels.contains(&(key.into(), v.into())))
                });
                listed.all(|matches| matches)
                    && crate::objects::labels(&selector["matchLabels"]).is_subset(&labels)
            });
            assert!(chosen, "{}", pod.owner);
        }
        for policy in overlay.kind("NetworkPolicy") {
            let types = &policy["spec"]["policyTypes"];
            assert!(types.as_array().expect("types").contains(&"Egress".into()), "{policy}");
        }
    }
}

/// Variables whose value is a secret, of the program and of the services.
fn is_secret(name: &str) -> bool {
    const WORDS: [&str; 6] =
        ["PASSWORD", "SECRET", "ACCESS_KEY", "SESSION_TOKEN", "_AUDIT", "MINIO_"];
    WORDS.iter().any(|word| name.contains(word))
}

#[test]
fn no_secret_is_in_the_open() {
    let mut by_reference = 0;
    for overlay in overlays() {
        for pod in overlay.pods() {
            for container in pod.containers() {
                for variable in container["env"].as_array().into_iter().flatten() {
                    let name = variable["name"].as_str().expect("a name");
                    if is_secret(name) {
                        assert_eq!(variable["value"], Value::Null, "{}: {name}", pod.owner);
                        let reference = &variable["valueFrom"]["secretKeyRef"];
                        assert!(reference["name"].is_string(), "{}: {name}", pod.owner);
                        by_reference += 1;
                    }
                }
            }
        }
        let settings = overlay.settings();
        assert!(settings.keys().all(|name| !is_secret(name)), "{:?}", settings.keys());
    }
    assert!(by_reference > 10);
}

#[test]
fn only_dev_has_secrets_and_they_are_marked() {
    for name in ["base", "prod"] {
        assert_eq!(overlay(name).kind("Secret").count(), 0, "{name}");
        assert!(!overlay(name).text.contains("dev-only"), "{name}");
    }
    for made in overlay("prod").kind("ExternalSecret") {
        for (key, url) in made["spec"]["target"]["template"]["data"].as_object().expect("data") {
            let url = url.as_str().expect("text");
            assert!(url.contains("{{ .") && url.contains("sslmode=verify-full"), "{key}");
        }
    }

    let dev = overlay("dev");
    let mut secrets = 0;
    for secret in dev.kind("Secret") {
        for (key, value) in secret["data"].as_object().expect("data") {
            let value = base64(value);
            assert!(value.contains("dev-only"), "{key} of {}", secret["metadata"]["name"]);
            secrets += 1;
        }
    }
    assert!(secrets >= 8);
    // They are encoded in the secrets; in plain text they would be in another object.
    assert!(!dev.text.contains("dev-only"));
}
