//! What every cloud's exchange needs: who is asked for, and with what.

use std::{collections::BTreeMap, fmt, sync::Arc};

use async_trait::async_trait;
use gitops_core::{Clock, Secret};

use crate::{AuthError, HttpClient};

/// The variables of the process, given in by the program.
#[derive(Clone)]
pub struct Environment(Arc<Lookup>);

type Lookup = dyn Fn(&str) -> Option<String> + Send + Sync;

impl Environment {
    /// An environment that a function looks up.
    pub fn new(lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(lookup))
    }

    /// A variable that is set to something.
    pub fn get(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }
}

impl Default for Environment {
    /// An empty one.
    fn default() -> Self {
        Self::new(|_| None)
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        let variables: BTreeMap<String, String> = variables.into_iter().collect();
        Self::new(move |name| variables.get(name).cloned())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}

/// Who issues tokens that prove a service account of the cluster to others.
#[async_trait]
pub trait AccountTokens: fmt::Debug + Send + Sync {
    /// A new token for an audience.
    ///
    /// # Errors
    /// When the cluster refuses.
    async fn request(&self, audience: &str) -> Result<Secret, AuthError>;
}

/// A service account of the cluster, whose identity is exchanged for one of a cloud.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its annotations: they name the identity in the cloud.
    pub annotations: BTreeMap<String, String>,
    /// Who proves it.
    pub tokens: Arc<dyn AccountTokens>,
}

impl Account {
    /// An annotation, or nothing.
    pub fn annotation(&self, name: &str) -> &str {
        self.annotations.get(name).map_or("", String::as_str)
    }

    /// What failed when the account's annotations do not name an identity.
    pub(crate) fn no_identity(&self, error: AuthError) -> AuthError {
        let Self { namespace, name, .. } = self;
        error.during(format!(
            "failed to get provider identity from service account '{namespace}/{name}' annotations"
        ))
    }

    /// What failed when the exchange did.
    pub(crate) fn no_token(&self, error: AuthError) -> AuthError {
        let Self { namespace, name, .. } = self;
        error.during(format!(
            "failed to create provider access token for service account '{namespace}/{name}'"
        ))
    }

    /// Proves the account to an audience.
    pub(crate) async fn prove(&self, audience: &str) -> Result<Secret, AuthError> {
        let Self { namespace, name, .. } = self;
        self.tokens.request(audience).await.map_err(|error| {
            error.during(format!(
                "failed to create kubernetes token for service account '{namespace}/{name}'"
            ))
        })
    }
}

/// Whose identity it is, and with what it is asked for.
#[derive(Clone, Debug)]
pub struct CloudContext {
    /// The way to the cloud.
    pub http: HttpClient,
    /// The time, for what is signed.
    pub clock: Arc<dyn Clock>,
    /// Where the machine's own identity is looked for.
    pub environment: Environment,
    /// The account to act as; without one the machine's own identity counts.
    pub account: Option<Account>,
}

impl CloudContext {
    /// What failed when the machine's own identity could not be had.
    pub(crate) fn no_token(error: AuthError) -> AuthError {
        error.during("failed to create provider access token for the controller")
    }

    /// Reads a file that a variable names.
    pub(crate) async fn read_file(&self, variable: &str) -> Result<Option<Secret>, AuthError> {
        let Some(path) = self.environment.get(variable) else {
            return Ok(None);
        };
        match tokio::fs::read(&path).await {
            Ok(content) => {
                let text = String::from_utf8_lossy(&content).trim().to_owned();
                Ok(Some(Secret::from(text)))
            }
            Err(error) => {
                Err(AuthError::invalid(format!("cannot read the file of {variable}: {error}")))
            }
        }
    }
}
