//! Who reconciles: two controllers in a real cluster, or `gitops run` in one inside this process.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context, bail};
use gitops_apiserver::Server;
use gitops_testenv::{Cluster, Controller};
use kube::{
    Client,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{Options, corpus::text, fleet::NAMESPACE};

pub(crate) enum Reconcilers {
    Controllers(PathBuf),
    Run { gitops: PathBuf, kubeconfig: PathBuf },
}

/// Killed when dropped.
pub(crate) enum Running {
    Controllers([Controller; 2]),
    Run(Run),
}

/// `gitops run`, and where it writes.
pub(crate) struct Run {
    child: Child,
    log: PathBuf,
}

impl Reconcilers {
    /// The cluster, with our kinds, and who will work in it.
    pub(crate) async fn prepare(
        options: &Options,
        directory: &Path,
    ) -> anyhow::Result<(Cluster, Self)> {
        if let Some(controllers) = &options.controllers {
            let client = Client::try_default().await.context("no usable KUBECONFIG")?;
            return Ok((Cluster::new(client).await?, Self::Controllers(controllers.clone())));
        }
        let gitops = options.run.clone().context("either is given")?;
        let server = Server::builder().admin_token("real-input").build();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": format!("http://{}", listener.local_addr()?)}}],
            "users": [{"name": "u", "user": {"token": "real-input"}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        });
        let kubeconfig = directory.join("kubeconfig");
        fs::write(&kubeconfig, config.to_string())?;
        let cluster = Cluster::new(Client::new(server.service(), "default")).await?;
        tokio::spawn(async move { server.serve(listener, std::future::pending()).await });
        Ok((cluster, Self::Run { gitops, kubeconfig }))
    }

    /// Starts to reconcile.
    pub(crate) async fn start(
        &self,
        sync: &[Value],
        cluster: &Cluster,
        directory: &Path,
    ) -> anyhow::Result<Running> {
        match self {
            Self::Controllers(programs) => {
                let storage = directory.join("storage");
                fs::create_dir(&storage)?;
                let storage = format!("--storage-path={}", storage.display());
                let address = "--storage-addr=127.0.0.1:29353";
                let advertised = "--storage-adv-addr=127.0.0.1:29353";
                let source = Controller::start(
                    programs,
                    "source-controller",
                    40,
                    &[&storage, address, advertised, "--requeue-dependency=1s"],
                    &[],
                )?;
                let kustomize = Controller::start(
                    programs,
                    "kustomize-controller",
                    44,
                    &["--requeue-dependency=1s"],
                    &[],
                )?;
                for object in sync {
                    let (api_version, kind) = (text(object, "/apiVersion"), text(object, "/kind"));
                    let api = cluster.api(api_version, kind, NAMESPACE).await?;
                    let parameters = PatchParams::apply("kubectl").force();
                    api.patch(text(object, "/metadata/name"), &parameters, &Patch::Apply(object))
                        .await?;
                }
                Ok(Running::Controllers([source, kustomize]))
            }
            Self::Run { gitops, kubeconfig } => {
                let fleet = directory.join("fleet");
                write_fleet(&fleet, sync)?;
                let log = directory.join("run.log");
                let child = Command::new(gitops)
                    .arg("run")
                    .arg(&fleet)
                    .args(["--path", "cluster"])
                    .arg("--kubeconfig")
                    .arg(kubeconfig)
                    .stdin(Stdio::null())
                    .stdout(fs::File::create(&log)?)
                    .spawn()
                    .with_context(|| gitops.display().to_string())?;
                Ok(Running::Run(Run { child, log }))
            }
        }
    }
}

/// A repository whose own sync object brings all others.
fn write_fleet(fleet: &Path, sync: &[Value]) -> anyhow::Result<()> {
    fs::create_dir_all(fleet.join("cluster"))?;
    fs::create_dir_all(fleet.join("repositories"))?;
    let own = json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
        "metadata": {"name": "fleet", "namespace": NAMESPACE},
        "spec": {"interval": "10m", "url": "https://git.invalid/fleet.git", "ref": {"branch": "main"}},
    });
    let all = json!({
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
        "metadata": {"name": "fleet", "namespace": NAMESPACE},
        "spec": {
            "interval": "10m", "path": "./repositories", "prune": true,
            "sourceRef": {"kind": "GitRepository", "name": "fleet"},
        },
    });
    // JSON is YAML.
    fs::write(fleet.join("cluster/sync.yaml"), format!("{own}\n---\n{all}\n"))?;
    let objects: Vec<String> = sync.iter().map(Value::to_string).collect();
    fs::write(fleet.join("repositories/all.yaml"), objects.join("\n---\n"))?;
    Ok(())
}

impl Running {
    /// What it took so far, where that can be told.
    pub(crate) async fn cost(&self) -> anyhow::Result<String> {
        let Self::Controllers(controllers) = self else {
            return Ok(String::new());
        };
        let cpu: f64 = controllers.iter().map(Controller::cpu_seconds).sum();
        let peak: u64 = controllers.iter().map(Controller::peak_mib).sum();
        let mut requests = 0;
        for controller in controllers {
            requests += controller.requests().await?;
        }
        Ok(format!("; so far {cpu:.1} CPU s, peak {peak} MiB, {requests} requests"))
    }

    /// Notices a reconciler that has ended.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        if let Self::Run(run) = self
            && let Some(status) = run.child.try_wait()?
        {
            let log = fs::read_to_string(&run.log).unwrap_or_default();
            bail!("gitops run has ended ({status}):\n{log}");
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Self::Run(run) = self {
            // Both fail only when it has ended already.
            let _ = run.child.kill();
            let _ = run.child.wait();
        }
    }
}
