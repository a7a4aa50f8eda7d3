//! Charts as `.tgz`, as `helm package` makes them, and always with the same bytes.
//!
//! Follows helm pkg/chart/v2/util/save.go; differs in: times are given, not those of files.

use std::io::Write;

use flate2::{Compression, GzBuilder};
use gitops_yaml::{Node, to_yaml};

use crate::chart::{Chart, ChartError, File, Metadata};

/// The mark that Helm leaves in the header of its archives.
const EXTRA: &[u8] = b"rr\x28\x00aHR0cHM6Ly95b3V0dS5iZS96OVV6MWljandyTQo=";

/// How a chart is packed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PackageOptions {
    /// Takes the place of the version in Chart.yaml.
    pub version: Option<String>,
    /// Takes the place of the version of what is installed.
    pub app_version: Option<String>,
    /// The time of every file, in seconds since 1970.
    pub time: u64,
}

/// A chart that is packed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// `name-version.tgz`.
    pub file_name: String,
    /// The archive.
    pub archive: Vec<u8>,
}

/// A chart that cannot be packed. The chain of causes, joined by `: `, is Helm's text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackageError {
    /// The version is none.
    #[error("invalid semantic version")]
    Version,
    /// What Chart.yaml names is not in `charts/`.
    #[error("found in Chart.yaml, but missing in charts/ directory: {}", .0.join(", "))]
    MissingDependencies(Vec<String>),
    /// It cannot be written as an archive.
    #[error("failed to save")]
    Save(#[from] ArchiveError),
}

/// A chart of which no archive can be made. The chain of causes, joined by `: `, is Helm's text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// Chart.yaml says something that is not allowed.
    #[error("chart validation")]
    Invalid(#[source] ChartError),
    /// values.schema.json is no JSON.
    #[error("invalid JSON in values.schema.json")]
    Schema,
    /// A document cannot be written.
    #[error(transparent)]
    Document(#[from] gitops_yaml::Error),
    /// A name is too long for an archive.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl Chart {
    /// Packs a chart with everything below it, for `helm package`: its version may be another, and
    /// what it depends on must be there. The same chart gives the same bytes.
    ///
    /// ```
    /// use gitops_helm::{Chart, File, LoadOptions, PackageOptions};
    ///
    /// let files = vec![File::new("Chart.yaml", &b"apiVersion: v2\nname: web\nversion: 1.0.0\n"[..])];
    /// let chart = Chart::from_files(files, &LoadOptions::default())?;
    /// let package = chart.package(&PackageOptions::default())?;
    /// assert_eq!(package.file_name, "web-1.0.0.tgz");
    /// assert_eq!(Chart::from_archive(&package.archive, &LoadOptions::default())?.name(), "web");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`PackageError`] says which part cannot be packed.
    pub fn package(&self, options: &PackageOptions) -> Result<Package, PackageError> {
        let mut chart = self.clone();
        if let Some(version) = &options.version {
            chart.metadata.version.clone_from(version);
        }
        if gitops_core::Version::parse(&chart.metadata.version).is_none() {
            return Err(PackageError::Version);
        }
        if let Some(version) = &options.app_version {
            chart.metadata.app_version.clone_from(version);
        }
        let missing = crate::missing_dependencies(&chart);
        if !missing.is_empty() {
            let missing = missing.into_iter().map(str::to_owned).collect();
            return Err(PackageError::MissingDependencies(missing));
        }
        let file_name = format!("{}-{}.tgz", chart.name(), chart.metadata.version);
        Ok(Package { file_name, archive: chart.to_archive(options.time)? })
    }

    /// The archive of a chart with everything below it, as it is; every file has the same time, in
    /// seconds since 1970. The same chart gives the same bytes.
    ///
    /// # Errors
    /// [`ArchiveError`] says which part cannot be packed.
    pub fn to_archive(&self, time: u64) -> Result<Vec<u8>, ArchiveError> {
        let mut metadata = self.metadata.clone();
        metadata.validate().map_err(ArchiveError::Invalid)?;
        let gzip = GzBuilder::new()
            .extra(EXTRA)
            .comment("Helm")
            .mtime(0)
            .operating_system(255)
            .write(Vec::new(), Compression::new(6));
        let mut archive = tar::Builder::new(gzip);
        self.append(&mut archive, metadata, "", time)?;
        Ok(archive.into_inner()?.finish()?)
    }

    fn append<W: Write>(
        &self,
        archive: &mut tar::Builder<W>,
        mut metadata: Metadata,
        prefix: &str,
        time: u64,
    ) -> Result<(), ArchiveError> {
        let base = format!("{prefix}{}", metadata.name);
        let mut add = |name: &str, data: &[u8]| -> std::io::Result<()> {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(tar::EntryType::Regular);
            header.set_mode(0o644);
            header.set_mtime(time);
            header.set_uid(0);
            header.set_gid(0);
            header.set_size(data.len() as u64);
            archive.append_data(&mut header, format!("{base}/{name}"), data)
        };
        if metadata.api_version == "v1" {
            // They stand in requirements.yaml, which is one of the files.
            metadata.dependencies.clear();
        }
        add("Chart.yaml", to_yaml(&Node::from_json(metadata.to_json()))?.as_bytes())?;
        if let Some(lock) = self.lock.as_ref().filter(|_| metadata.api_version == "v2") {
            add("Chart.lock", to_yaml(&Node::from_json(lock.to_json()))?.as_bytes())?;
        }
        for file in self.raw.iter().filter(|file| file.name == "values.yaml") {
            add(&file.name, &file.data)?;
        }
        if let Some(schema) = &self.schema {
            if serde_json::from_slice::<&serde_json::value::RawValue>(schema).is_err() {
                return Err(ArchiveError::Schema);
            }
            add("values.schema.json", schema)?;
        }
        for File { name, data } in self.templates.iter().chain(&self.files) {
            add(name, data)?;
        }
        for dependency in &self.dependencies {
            let metadata = dependency.metadata.clone();
            dependency.append(archive, metadata, &format!("{base}/charts/"), time)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LoadOptions;

    fn chart() -> Chart {
        let files = [
            ("Chart.yaml", "apiVersion: v2\nname: p\nversion: 1.0.0\ndependencies: [{name: c}]\n"),
            (
                "Chart.lock",
                "digest: sha256:x\ngenerated: \"2020-01-01T00:00:00Z\"\ndependencies: []\n",
            ),
            ("values.yaml", "# kept\na: 1\n"),
            ("templates/a.yaml", "a: 1\n"),
            ("README.md", "# p\n"),
            ("charts/c/Chart.yaml", "name: c\nversion: 1.0.0\n"),
            ("charts/c/templates/b.yaml", "b: 1\n"),
        ];
        let files = files.map(|(name, text)| File::new(name, text.as_bytes().to_vec()));
        Chart::from_files(files.into(), &LoadOptions::default()).unwrap()
    }

    #[test]
    fn packed_charts_are_read_back_and_are_always_the_same() {
        let chart = chart();
        let options = PackageOptions { time: 1_600_000_000, ..PackageOptions::default() };
        let package = chart.package(&options).unwrap();
        assert_eq!(package, chart.package(&options).unwrap());
        let back = Chart::from_archive(&package.archive, &LoadOptions::default()).unwrap();
        assert_eq!(back.metadata, chart.metadata);
        assert_eq!(back.lock, chart.lock);
        assert_eq!(back.values, chart.values);
        assert_eq!(back.templates, chart.templates);
        assert_eq!(back.dependencies[0].templates, chart.dependencies[0].templates);
        assert_eq!(package, back.package(&options).unwrap());
    }

    #[test]
    fn versions_may_be_given() {
        let mut options =
            PackageOptions { version: Some("2.0.0".to_owned()), ..Default::default() };
        options.app_version = Some("9".to_owned());
        let package = chart().package(&options).unwrap();
        assert_eq!(package.file_name, "p-2.0.0.tgz");
        let back = Chart::from_archive(&package.archive, &LoadOptions::default()).unwrap();
        assert_eq!(back.metadata.app_version, "9");
        options.version = Some("x".to_owned());
        assert!(matches!(chart().package(&options), Err(PackageError::Version)));
        let mut missing = chart();
        missing.dependencies.clear();
        let error = missing.package(&PackageOptions::default()).unwrap_err();
        assert_eq!(error.to_string(), "found in Chart.yaml, but missing in charts/ directory: c");
    }
}
