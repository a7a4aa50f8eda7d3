//! A service on loopback that answers as told, for tests.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use axum::{
    Router,
    extract::{Request, State},
    response::IntoResponse as _,
};
use gitops_core::{FixedClock, Secret};

use crate::{
    Account, AccountTokens, AuthError, CloudContext, Environment, HttpClient, HttpOptions,
};

pub(crate) const NOON: &str = "2026-01-01T12:00:00Z";

/// What was asked: method, path with query, headers as text, body.
pub(crate) type Asked = (String, String, BTreeMap<String, String>, String);

#[derive(Clone, Default)]
pub(crate) struct Fake {
    pub(crate) base: String,
    answers: Arc<Mutex<BTreeMap<String, String>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Fake {
    pub(crate) async fn start() -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let own = Self { base, ..Self::default() };
        let app = Router::new().fallback(answer).with_state(own.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        own
    }

    pub(crate) fn answer(&self, path: &str, body: &str) {
        self.answers.lock().unwrap().insert(path.to_owned(), body.to_owned());
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn host(&self) -> &str {
        self.base.strip_prefix("http://").unwrap()
    }
}

async fn answer(State(own): State<Fake>, request: Request) -> axum::response::Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let headers = parts.headers.iter();
    let headers =
        headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap_or("").to_owned()));
    let path = parts.uri.path().to_owned();
    own.asked.lock().unwrap().push((
        parts.method.to_string(),
        parts.uri.to_string(),
        headers.collect(),
        String::from_utf8_lossy(&body).into_owned(),
    ));
    match own.answers.lock().unwrap().get(&path) {
        Some(body) => body.clone().into_response(),
        None => (axum::http::StatusCode::FORBIDDEN, "refused").into_response(),
    }
}

#[derive(Debug)]
struct Tokens;

#[async_trait]
impl AccountTokens for Tokens {
    async fn request(&self, audience: &str) -> Result<Secret, AuthError> {
        Ok(Secret::from(format!("k8s-token-for-{audience}")))
    }
}

/// A context of the process, or of an account with annotations.
pub(crate) fn context(
    environment: &[(&str, &str)],
    annotations: Option<&[(&str, &str)]>,
) -> CloudContext {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let http = HttpClient::new(&HttpOptions::default()).unwrap();
    CloudContext {
        http,
        clock: Arc::new(FixedClock::new(NOON.parse().unwrap())),
        environment: environment.iter().map(own).collect::<Environment>(),
        account: annotations.map(|annotations| Account {
            namespace: "ns".into(),
            name: "account".into(),
            annotations: annotations.iter().map(own).collect(),
            tokens: Arc::new(Tokens),
        }),
    }
}
