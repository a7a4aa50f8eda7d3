//! The log of a process in the form that zap gives Flux's.

use std::{fmt, io::Write, sync::Arc};

use gitops_core::Clock;
use parking_lot::Mutex;
use serde_json::{Map, Value};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{Layer, layer::Context, registry::LookupSpan};

/// Writes one line per event: a JSON object with `level`, `ts`, `msg`, the fields of the spans
/// around it and its own; or the same in columns.
pub struct ZapLayer<W> {
    out: Mutex<W>,
    clock: Arc<dyn Clock>,
    json: bool,
}

impl<W> fmt::Debug for ZapLayer<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ZapLayer").field("json", &self.json).finish_non_exhaustive()
    }
}

impl<W: Write> ZapLayer<W> {
    /// A layer that writes to `out`.
    pub fn new(out: W, clock: Arc<dyn Clock>, json: bool) -> Self {
        Self { out: Mutex::new(out), clock, json }
    }
}

/// The fields of a span.
struct Fields(Map<String, Value>);

impl<S, W> Layer<S> for ZapLayer<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: Write + Send + 'static,
{
    fn on_new_span(
        &self,
        attributes: &span::Attributes<'_>,
        id: &span::Id,
        context: Context<'_, S>,
    ) {
        let mut collect = Collect(Map::new());
        attributes.record(&mut collect);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(Fields(collect.0));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut collect = Collect(Map::new());
        event.record(&mut collect);
        let mut own = collect.0;
        let message = match own.remove("message") {
            Some(Value::String(message)) => message,
            other => other.map(|value| value.to_string()).unwrap_or_default(),
        };
        let level = match *event.metadata().level() {
            Level::ERROR => "error",
            // zap has it between info and error; Flux's levels have no name for it.
            Level::WARN => "info",
            Level::INFO => "info",
            Level::DEBUG => "debug",
            Level::TRACE => "trace",
        };
        let time = self.clock.now().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string();
        let mut fields = Map::new();
        if let Some(scope) = context.event_scope(event) {
            for span in scope.from_root() {
                if let Some(Fields(known)) = span.extensions().get::<Fields>() {
                    fields.extend(known.iter().map(|(key, value)| (key.clone(), value.clone())));
                }
            }
        }
        add_object(&mut fields);
        fields.extend(own);
        let line = if self.json {
            let mut line = Map::new();
            line.insert("level".into(), level.into());
            line.insert("ts".into(), time.into());
            line.insert("msg".into(), message.into());
            line.extend(fields);
            Value::Object(line).to_string()
        } else {
            let rest =
                if fields.is_empty() { String::new() } else { Value::Object(fields).to_string() };
            format!("{time}\t{}\t{message}\t{rest}", level.to_uppercase())
        };
        // Nothing can be done about a log that cannot be written.
        let _ = writeln!(self.out.lock(), "{line}");
    }
}

/// controller-runtime's `"Kustomization":{"name":…,"namespace":…}` beside the flat fields.
fn add_object(fields: &mut Map<String, Value>) {
    let text = |key: &str| fields.get(key).and_then(Value::as_str).map(str::to_owned);
    if let (Some(kind), Some(name), Some(namespace)) =
        (text("controllerKind"), text("name"), text("namespace"))
    {
        fields.insert(kind, serde_json::json!({"name": name, "namespace": namespace}));
    }
}

struct Collect(Map<String, Value>);

impl Visit for Collect {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").into());
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

#[cfg(test)]
mod tests {
    use gitops_core::FixedClock;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_are_zaps() {
        let buffer = Buffer::default();
        let clock = FixedClock::new("2026-01-02T03:04:05Z".parse().unwrap());
        let layer = ZapLayer::new(buffer.clone(), Arc::new(clock), true);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let span = tracing::info_span!(
                "turn",
                controllerKind = "Kustomization",
                name = "a",
                namespace = "b"
            );
            let _in = span.enter();
            tracing::error!(error = "boom", "Reconciler error");
        });
        let line: Value = serde_json::from_slice(&buffer.0.lock()).unwrap();
        assert_eq!(
            line,
            serde_json::json!({
                "level": "error", "ts": "2026-01-02T03:04:05.000Z", "msg": "Reconciler error",
                "controllerKind": "Kustomization", "name": "a", "namespace": "b",
                "Kustomization": {"name": "a", "namespace": "b"}, "error": "boom",
            })
        );
    }
}
