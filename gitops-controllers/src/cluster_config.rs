//! Which cluster a process is for: the files that `KUBECONFIG` names, the Pod that it runs in, or the
//! user's own file.
//!
//! Follows controller-runtime's `config.GetConfig`. Files are read by our own YAML reader: the client's
//! brings another one, whose code would fill a tenth of an idle controller's memory.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use kube::{
    Config,
    config::{KubeConfigOptions, Kubeconfig},
};

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Finds out how the API server is reached.
///
/// # Errors
/// When no file says it and the process is in no Pod, or a file is none of its kind.
#[allow(clippy::disallowed_methods, reason = "a process is told its cluster by its environment")]
pub(crate) async fn infer() -> Result<Config, Cause> {
    let named = env::var_os("KUBECONFIG").unwrap_or_default();
    let mut files: Vec<PathBuf> =
        env::split_paths(&named).filter(|path| !path.as_os_str().is_empty()).collect();
    if files.is_empty() {
        let in_cluster = match Config::incluster() {
            Ok(config) => return Ok(config),
            Err(error) => error,
        };
        let own = env::home_dir().map(|home| home.join(".kube/config"));
        let own = own.filter(|file| file.exists()).ok_or(in_cluster)?;
        files.push(own);
    }
    let mut all = Kubeconfig::default();
    for file in files {
        let read = read(&file).map_err(|cause| format!("{}: {cause}", file.display()))?;
        all = all.merge(read)?;
    }
    Ok(Config::from_custom_kubeconfig(all, &KubeConfigOptions::default()).await?)
}

/// Reads a file. What it names is relative to its directory.
fn read(file: &Path) -> Result<Kubeconfig, Cause> {
    let text = fs::read(file)?;
    let directory = file.parent().unwrap_or(file);
    let mut all = Kubeconfig::default();
    for document in gitops_yaml::read_all(&text)? {
        // What is wrong is told without what stands there: there are secrets around it.
        let mut one: Kubeconfig = serde_json::from_value(document.to_json_v2()?)
            .map_err(|error| format!("is no kubeconfig ({:?})", error.classify()))?;
        let clusters = one.clusters.iter_mut().filter_map(|named| named.cluster.as_mut());
        let users = one.auth_infos.iter_mut().filter_map(|named| named.auth_info.as_mut());
        let paths = clusters.filter_map(|cluster| cluster.certificate_authority.as_mut()).chain(
            users.flat_map(|user| {
                let all =
                    [&mut user.client_certificate, &mut user.client_key, &mut user.token_file];
                all.into_iter().flatten()
            }),
        );
        for path in paths {
            let joined = directory.join(&*path);
            joined.to_str().ok_or("a path is no text")?.clone_into(path);
        }
        all = all.merge(one)?;
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_and_merged() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let file = directory.path().join(name);
            fs::write(&file, text).unwrap();
            file
        };
        let one = write(
            "one",
            "apiVersion: v1\nkind: Config\ncurrent-context: a\nclusters:\n- name: c\n  cluster:\n    \
             server: https://127.0.0.1:1\n    certificate-authority: ca.pem\nusers:\n- name: u\n  \
             user:\n    client-certificate: /abs/u.pem\n    client-key: u.key\n    tokenFile: t\n\
             contexts:\n- name: a\n  context: {cluster: c, user: u}\n---\nusers:\n- name: v\n  user: \
             {token: s3cret}\n",
        );
        let read_one = read(&one).unwrap();
        let place = |name: &str| Some(directory.path().join(name).display().to_string());
        let cluster = read_one.clusters[0].cluster.as_ref().unwrap();
        assert_eq!(cluster.certificate_authority, place("ca.pem"));
        let user = read_one.auth_infos[0].auth_info.as_ref().unwrap();
        assert_eq!(user.client_certificate.as_deref(), Some("/abs/u.pem"));
        assert_eq!(
            (user.client_key.clone(), user.token_file.clone()),
            (place("u.key"), place("t"))
        );
        assert_eq!(read_one.auth_infos[1].name, "v");
        assert_eq!(read_one.current_context.as_deref(), Some("a"));

        for text in
            ["clusters: s3cret\n", "a: [s3cret\n", "users: [{name: {s3cret: 1}}]\n", "\u{0}"]
        {
            let error = read(&write("bad", text)).unwrap_err().to_string();
            assert!(!error.contains("s3cret"), "{text}: {error}");
        }
        assert!(read(&directory.path().join("none")).is_err());
    }
}
