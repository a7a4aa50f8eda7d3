//! Chart archives, and charts of arbitrary files.
#![no_main]

use gitops_helm::{Chart, Compat, File, LoadOptions, PackageOptions};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let options = LoadOptions::new(Compat::Helm4);
    if let Ok(chart) = Chart::from_archive(input, &options) {
        let _ = chart.package(&PackageOptions::default());
    }
    // The same bytes as files: names and contents by turns.
    let mut files =
        vec![File::new("Chart.yaml", &b"apiVersion: v2\nname: a\nversion: 1.0.0\n"[..])];
    let mut parts = input.split(|byte| *byte == 0);
    while let (Some(name), Some(data)) = (parts.next(), parts.next()) {
        files.push(File::new(String::from_utf8_lossy(name).into_owned(), data.to_vec()));
    }
    if let Ok(chart) = Chart::from_files(files, &options) {
        let _ = chart.package(&PackageOptions::default());
    }
});
