//! Values by a schema: two JSON documents, divided by a zero byte.
#![no_main]

use gitops_helm::{Chart, File, LoadOptions, read_values, validate_schema};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some(at) = input.iter().position(|byte| *byte == 0) else { return };
    let (schema, values) = (&input[..at], &input[at + 1..]);
    let options = LoadOptions::default();
    let files = vec![
        File::new("Chart.yaml", &b"apiVersion: v2\nname: a\nversion: 1.0.0\n"[..]),
        File::new("values.schema.json", schema.to_vec()),
    ];
    let Ok(chart) = Chart::from_files(files, &options) else { return };
    let Ok(values) = read_values(values, options.compat) else { return };
    let _ = validate_schema(&chart, &values);
});
