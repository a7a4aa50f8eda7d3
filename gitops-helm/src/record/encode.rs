//! Records as text, and back.

use std::io::{Read, Write};

use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};
use gitops_core::{Class, Classify};
use serde_json::{Value, json};

use super::{Record, RecordChart, RecordHook, RecordInfo, ReleaseStatus, events, without_empty};
use crate::{
    chart::{File, Lock, Metadata},
    decode::DocumentError,
    manifest::Hook,
    values::Values,
};

/// The largest record when unpacked: a Secret holds 1 MiB, and charts compress well.
const MAX_BYTES: u64 = 64 << 20;

/// A text that is no record.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// It is no base64.
    #[error("release record is no base64")]
    Base64(#[from] base64::DecodeError),
    /// It cannot be unpacked.
    #[error("release record cannot be unpacked")]
    Gzip(#[source] std::io::Error),
    /// It is too large.
    #[error("release record is larger than {MAX_BYTES} bytes")]
    Limit,
    /// It is no JSON.
    #[error("release record is no JSON")]
    Json(#[from] serde_json::Error),
    /// It is JSON of something else.
    #[error("release record is malformed")]
    Shape(#[from] DocumentError),
    /// It has no name or no revision.
    #[error("release record has no {0}")]
    Missing(&'static str),
}

impl Classify for RecordError {
    fn class(&self) -> Class {
        Class::Invalid
    }
}

/// The text of a record, as it stands in the data of a Secret before Kubernetes' own base64.
///
/// # Errors
/// When memory cannot be written to, which is never.
pub fn encode_record_text(record: &Record) -> Result<String, RecordError> {
    let json = serde_json::to_vec(&record.to_json())?;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&json).map_err(RecordError::Gzip)?;
    Ok(STANDARD.encode(gzip.finish().map_err(RecordError::Gzip)?))
}

/// Reads the text of a record, compressed or not.
///
/// # Errors
/// [`RecordError`] says what is wrong; nothing else is touched.
pub fn decode_record_text(text: &str) -> Result<Record, RecordError> {
    let bytes = STANDARD.decode(text.trim())?;
    let json = if bytes.starts_with(&[0x1f, 0x8b, 0x08]) {
        let mut json = Vec::new();
        let mut stream = MultiGzDecoder::new(&bytes[..]).take(MAX_BYTES + 1);
        stream.read_to_end(&mut json).map_err(RecordError::Gzip)?;
        json
    } else {
        bytes
    };
    if json.len() as u64 > MAX_BYTES {
        return Err(RecordError::Limit);
    }
    Record::from_json(&serde_json::from_slice(&json)?)
}

impl Record {
    /// The record as JSON, fields in Helm's order.
    pub fn to_json(&self) -> Value {
        let mut record = without_empty([("name", self.name.as_str().into())]);
        record.insert("info".to_owned(), self.info.to_json());
        record.insert("chart".to_owned(), self.chart.to_json());
        let hooks: Vec<Value> = self.hooks.iter().map(RecordHook::to_json).collect();
        record.extend(without_empty([
            ("config", Value::Object(self.config.clone())),
            ("manifest", self.manifest.as_str().into()),
            ("hooks", hooks.into()),
            ("version", self.version.into()),
            ("namespace", self.namespace.as_str().into()),
            ("apply_method", self.apply_method.as_str().into()),
        ]));
        Value::Object(record)
    }

    /// Reads a record from JSON.
    ///
    /// # Errors
    /// When it has no name or revision, or its chart is malformed.
    pub fn from_json(json: &Value) -> Result<Self, RecordError> {
        let name = text(json, "name");
        let version = json["version"].as_u64().unwrap_or(0);
        if name.is_empty() {
            return Err(RecordError::Missing("name"));
        }
        if version == 0 {
            return Err(RecordError::Missing("version"));
        }
        let hooks = json["hooks"].as_array().into_iter().flatten();
        Ok(Self {
            name,
            namespace: text(json, "namespace"),
            version,
            info: RecordInfo::from_json(&json["info"]),
            chart: RecordChart::from_json(&json["chart"])?,
            config: table(&json["config"]).unwrap_or_default(),
            manifest: text(json, "manifest"),
            hooks: hooks.map(RecordHook::from_json).collect(),
            apply_method: text(json, "apply_method"),
        })
    }
}

impl RecordInfo {
    fn to_json(&self) -> Value {
        Value::Object(without_empty([
            ("first_deployed", self.first_deployed.as_str().into()),
            ("last_deployed", self.last_deployed.as_str().into()),
            ("deleted", self.deleted.as_str().into()),
            ("description", self.description.as_str().into()),
            ("status", self.status.as_str().into()),
            ("rollback_revision", self.rollback_revision.into()),
            ("notes", self.notes.as_str().into()),
        ]))
    }

    fn from_json(json: &Value) -> Self {
        Self {
            first_deployed: text(json, "first_deployed"),
            last_deployed: text(json, "last_deployed"),
            deleted: text(json, "deleted"),
            description: text(json, "description"),
            status: ReleaseStatus::parse(&text(json, "status")),
            rollback_revision: json["rollback_revision"].as_u64().unwrap_or(0),
            notes: text(json, "notes"),
        }
    }
}

impl RecordChart {
    /// Every field is there, `null` where it is empty.
    fn to_json(&self) -> Value {
        let files = |files: &[File]| -> Value {
            let file =
                |file: &File| json!({"name": file.name, "data": STANDARD.encode(&file.data)});
            match files {
                [] => Value::Null,
                files => files.iter().map(file).collect(),
            }
        };
        let schema = match self.schema.as_slice() {
            [] => Value::Null,
            schema => STANDARD.encode(schema).into(),
        };
        json!({
            "metadata": self.metadata.to_json(),
            "lock": self.lock.as_ref().map(Lock::to_json),
            "templates": files(&self.templates),
            "values": self.values,
            "schema": schema,
            "files": files(&self.files),
        })
    }

    fn from_json(json: &Value) -> Result<Self, RecordError> {
        let mut metadata = Metadata::default();
        metadata.decode(&json["metadata"])?;
        let lock = match &json["lock"] {
            Value::Null => None,
            lock => Some(Lock::decode(lock)?),
        };
        let files = |files: &Value| -> Result<Vec<File>, RecordError> {
            let files = files.as_array().into_iter().flatten();
            files
                .map(|file| Ok(File::new(text(file, "name"), STANDARD.decode(text(file, "data"))?)))
                .collect()
        };
        Ok(Self {
            metadata,
            lock,
            templates: files(&json["templates"])?,
            values: table(&json["values"]),
            schema: STANDARD.decode(text(json, "schema"))?,
            files: files(&json["files"])?,
        })
    }
}

impl RecordHook {
    fn to_json(&self) -> Value {
        let Hook { name, kind, path, manifest, weight, .. } = &self.hook;
        let events: Vec<Value> = self.hook.events.iter().map(|e| e.as_str().into()).collect();
        let mut hook = without_empty([
            ("name", name.as_str().into()),
            ("kind", kind.as_str().into()),
            ("path", path.as_str().into()),
            ("manifest", manifest.as_str().into()),
            ("events", events.into()),
        ]);
        let mut run = without_empty([
            ("started_at", self.started_at.as_str().into()),
            ("completed_at", self.completed_at.as_str().into()),
        ]);
        run.insert("phase".to_owned(), self.phase.as_str().into());
        hook.insert("last_run".to_owned(), Value::Object(run));
        hook.extend(without_empty([
            ("weight", (*weight).into()),
            ("delete_policies", self.hook.delete_policies.clone().into()),
            ("output_log_policies", self.hook.output_log_policies.clone().into()),
        ]));
        Value::Object(hook)
    }

    fn from_json(json: &Value) -> Self {
        let run = &json["last_run"];
        let hook = Hook {
            name: text(json, "name"),
            kind: text(json, "kind"),
            path: text(json, "path"),
            manifest: text(json, "manifest"),
            events: events(&json["events"]),
            weight: json["weight"].as_i64().unwrap_or(0),
            delete_policies: texts(&json["delete_policies"]),
            output_log_policies: texts(&json["output_log_policies"]),
        };
        Self {
            hook,
            started_at: text(run, "started_at"),
            completed_at: text(run, "completed_at"),
            phase: text(run, "phase"),
        }
    }
}

fn text(json: &Value, key: &str) -> String {
    json[key].as_str().unwrap_or_default().to_owned()
}

fn texts(json: &Value) -> Vec<String> {
    json.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn table(json: &Value) -> Option<Values> {
    json.as_object().cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::HookEvent;

    fn record() -> Record {
        let hook = Hook {
            name: "h".to_owned(),
            kind: "Job".to_owned(),
            path: "c/templates/h.yaml".to_owned(),
            manifest: "kind: Job\n".to_owned(),
            events: vec![HookEvent::PreInstall],
            weight: -5,
            delete_policies: vec!["hook-succeeded".to_owned()],
            output_log_policies: Vec::new(),
        };
        let chart = RecordChart {
            metadata: Metadata {
                name: "c".to_owned(),
                version: "1.0.0".to_owned(),
                api_version: "v2".to_owned(),
                ..Metadata::default()
            },
            templates: vec![File::new("templates/h.yaml", &b"kind: Job\n"[..])],
            ..RecordChart::default()
        };
        Record {
            name: "web".to_owned(),
            namespace: "apps".to_owned(),
            version: 3,
            info: RecordInfo { status: ReleaseStatus::Deployed, ..RecordInfo::default() },
            chart,
            manifest: "---\n".to_owned(),
            hooks: vec![hook.into()],
            ..Record::default()
        }
    }

    #[test]
    fn records_are_written_as_helm_writes_them() {
        assert_eq!(
            record().to_json().to_string(),
            r#"{"name":"web","info":{"status":"deployed"},"chart":{"metadata":{"name":"c","version":"1.0.0","apiVersion":"v2"},"lock":null,"templates":[{"name":"templates/h.yaml","data":"a2luZDogSm9iCg=="}],"values":null,"schema":null,"files":null},"manifest":"---\n","hooks":[{"name":"h","kind":"Job","path":"c/templates/h.yaml","manifest":"kind: Job\n","events":["pre-install"],"last_run":{"phase":""},"weight":-5,"delete_policies":["hook-succeeded"]}],"version":3,"namespace":"apps"}"#
        );
        assert_eq!(record().object_name(), "sh.helm.release.v1.web.v3");
    }

    #[test]
    fn records_are_read_back() {
        let text = encode_record_text(&record()).unwrap();
        assert_eq!(decode_record_text(&text).unwrap(), record());
        let plain = STANDARD.encode(record().to_json().to_string());
        assert_eq!(decode_record_text(&plain).unwrap(), record());
    }

    #[test]
    fn broken_records_are_errors() {
        for text in ["%", "e30=", "H4sIAAAA", "bnVsbA==", "WzFd", "", "eyJuYW1lIjoiYSJ9"] {
            assert!(decode_record_text(text).is_err(), "{text}");
        }
        let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
        for _ in 0..80 {
            bomb.write_all(&vec![b' '; 1 << 20]).unwrap();
        }
        let bomb = STANDARD.encode(bomb.finish().unwrap());
        assert!(matches!(decode_record_text(&bomb), Err(RecordError::Limit)));
    }
}
