//! A source of your own, packaged as an artifact: `cargo run -p gitops-source --example custom-source -- DIR`.

use std::sync::Arc;

use async_trait::async_trait;
use gitops_core::{ArtifactKey, Digest, DiskTree, Revision, Scope, SystemClock, pack};
use gitops_source::{
    ArtifactStore as _, Content, Fetched, IgnoreRules, MemoryStore, Resolved, Source, SourceError,
};

/// A folder, whose revision is the digest of its files.
#[derive(Debug)]
struct Folder(Arc<DiskTree>);

#[async_trait]
impl Source for Folder {
    async fn resolve(&self, scope: &Scope) -> Result<Resolved, SourceError> {
        let mut archive = Vec::new();
        pack(&*self.0, &|_, _| true, &mut archive, scope)?;
        let digest = Digest::sha256(&archive);
        Ok(Resolved::new(Revision::new(Some("latest"), "sha256", digest.hex())))
    }

    async fn fetch(&self, at: &Resolved, _: &Scope) -> Result<Fetched, SourceError> {
        Ok(Fetched::unsigned(at.revision.clone(), Arc::clone(&self.0) as _))
    }
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "a program prints")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args().nth(1).ok_or("which directory?")?;
    let source = Folder(Arc::new(DiskTree::open(directory)?));
    let scope = Scope::background();
    let fetched = source.fetch(&source.resolve(&scope).await?, &scope).await?;
    let store = MemoryStore::new(Arc::new(SystemClock));
    let content = Content::tree(fetched.tree, IgnoreRules::default());
    let key = ArtifactKey::new("Folder", "default", "app");
    let artifact = store.put(&key, &fetched.revision, content, &scope).await?;
    println!("{} {} {}", artifact.path(), artifact.revision, artifact.digest);
    Ok(())
}
