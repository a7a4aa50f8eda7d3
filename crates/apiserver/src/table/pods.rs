//! The row of a pod, whose state is put together from those of its containers.
//!
//! Follows `printPod` of Kubernetes' `printers/internalversion`.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    age,
    format::{count, created, length, list, name, or_none},
};
use crate::object::Meta as _;

/// What is known of a pod's containers.
#[derive(Default)]
struct Containers {
    ready: usize,
    restarts: i64,
    /// When one ended last before it was started again.
    restarted_at: Option<Timestamp>,
    status: Option<String>,
}

pub(super) fn row(pod: &Value, now: Timestamp) -> Vec<Value> {
    let (spec, status) = (&pod["spec"], &pod["status"]);
    let mut containers = Containers::default();
    let initializing = containers.read_init(spec, status);
    if !initializing || has_condition(status, "Initialized") {
        containers.read_main(status);
    }
    let sidecars = list(&spec["initContainers"]).iter().filter(|one| is_sidecar(one)).count();
    let total = length(&spec["containers"]) + sidecars;
    let restarts = match (containers.restarts, containers.restarted_at) {
        (restarts, Some(at)) if restarts != 0 => {
            format!("{restarts} ({} ago)", age::human(now.as_second() - at.as_second()))
        }
        (restarts, _) => restarts.to_string(),
    };
    let ip = match &status["podIPs"][0]["ip"] {
        Value::Null => &status["podIP"],
        ip => ip,
    };
    vec![
        name(pod),
        format!("{}/{total}", containers.ready).into(),
        state(pod, containers.status).into(),
        restarts.into(),
        created(pod, now),
        or_none(ip),
        or_none(&spec["nodeName"]),
        or_none(&status["nominatedNodeName"]),
        gates(spec, status).into(),
    ]
}

/// The condition of the row of a pod that is over: `kubectl` leaves such rows out on request.
pub(super) fn ended(pod: &Value) -> Option<Value> {
    let (reason, message) = match pod["status"]["phase"].as_str()? {
        "Succeeded" => ("Succeeded", "The pod has completed successfully."),
        "Failed" => ("Failed", "The pod failed."),
        _ => return None,
    };
    Some(json!({"type": "Completed", "status": "True", "reason": reason, "message": message}))
}

fn state(pod: &Value, of_containers: Option<String>) -> String {
    let status = &pod["status"];
    let phase = status["phase"].as_str().unwrap_or_default();
    let reason = status["reason"].as_str().filter(|reason| !reason.is_empty());
    let is_gated = list(&status["conditions"])
        .iter()
        .any(|one| one["type"] == "PodScheduled" && one["reason"] == "SchedulingGated");
    if pod.is_deleting() {
        if reason == Some("NodeLost") {
            return "Unknown".to_owned();
        }
        if !matches!(phase, "Failed" | "Succeeded") {
            return "Terminating".to_owned();
        }
    }
    of_containers.unwrap_or_else(|| {
        if is_gated { "SchedulingGated" } else { reason.unwrap_or(phase) }.to_owned()
    })
}

impl Containers {
    /// Reads the containers that come first; tells whether one of them is not through.
    fn read_init(&mut self, spec: &Value, status: &Value) -> bool {
        let mut sidecar_restarts = 0;
        let mut sidecar_restarted = None;
        let declared = list(&spec["initContainers"]);
        for (place, one) in list(&status["initContainerStatuses"]).iter().enumerate() {
            self.note_restarts(one);
            let is_sidecar =
                declared.iter().any(|known| known["name"] == one["name"] && is_sidecar(known));
            if is_sidecar {
                sidecar_restarts += count(&one["restartCount"]);
                sidecar_restarted = self.restarted_at;
            }
            let (ended, waiting) = (&one["state"]["terminated"], &one["state"]["waiting"]);
            if ended.is_object() && count(&ended["exitCode"]) == 0 {
                continue;
            }
            if is_sidecar && one["started"] == true {
                self.ready += usize::from(one["ready"] == true);
                continue;
            }
            let why = waiting["reason"].as_str().unwrap_or_default();
            self.status = Some(if ended.is_object() {
                format!("Init:{}", ending(ended))
            } else if !matches!(why, "" | "PodInitializing") {
                format!("Init:{why}")
            } else {
                format!("Init:{place}/{}", declared.len())
            });
            return true;
        }
        (self.restarts, self.restarted_at) = (sidecar_restarts, sidecar_restarted);
        false
    }

    fn read_main(&mut self, status: &Value) {
        let mut is_running = false;
        for one in list(&status["containerStatuses"]).iter().rev() {
            self.note_restarts(one);
            let (ended, waiting) = (&one["state"]["terminated"], &one["state"]["waiting"]);
            let why = waiting["reason"].as_str().unwrap_or_default();
            if !why.is_empty() {
                self.status = Some(why.to_owned());
            } else if ended.is_object() {
                self.status = Some(ending(ended));
            } else if one["ready"] == true && one["state"]["running"].is_object() {
                is_running = true;
                self.ready += 1;
            }
        }
        if is_running && self.status.as_deref() == Some("Completed") {
            let ready = has_condition(status, "Ready");
            self.status = Some(if ready { "Running" } else { "NotReady" }.to_owned());
        }
    }

    fn note_restarts(&mut self, container: &Value) {
        self.restarts += count(&container["restartCount"]);
        let ended = container["lastState"]["terminated"]["finishedAt"].as_str();
        let ended = ended.and_then(|text| text.parse::<Timestamp>().ok());
        self.restarted_at = self.restarted_at.max(ended);
    }
}

fn ending(terminated: &Value) -> String {
    match (terminated["reason"].as_str(), count(&terminated["signal"])) {
        (Some(reason), _) if !reason.is_empty() => reason.to_owned(),
        (_, 0) => format!("ExitCode:{}", count(&terminated["exitCode"])),
        (_, signal) => format!("Signal:{signal}"),
    }
}

fn is_sidecar(container: &Value) -> bool {
    container["restartPolicy"] == json!("Always")
}

fn has_condition(status: &Value, kind: &str) -> bool {
    list(&status["conditions"]).iter().any(|one| one["type"] == kind && one["status"] == "True")
}

fn gates(spec: &Value, status: &Value) -> String {
    let gates = list(&spec["readinessGates"]);
    if gates.is_empty() {
        return "<none>".to_owned();
    }
    let met = gates.iter().filter_map(|gate| gate["conditionType"].as_str());
    format!("{}/{}", met.filter(|gate| has_condition(status, gate)).count(), gates.len())
}
