//! Row 72 of the list of attacks: tokens that are refused or whose issuer's key changed.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{Router, http::StatusCode, response::IntoResponse as _};
use gitops_api::meta::ConditionStatus;
use gitops_testenv::Access;
use parking_lot::Mutex;
use serde_json::json;

use crate::{CANARY, TEST_KEY, World, ready, secret};

/// What GitHub is for an app: it issues the tokens `t1`, `t2` and so on, and refuses the app when it
/// is told to.
async fn github(issued: Arc<AtomicUsize>, refuses: Arc<Mutex<Option<StatusCode>>>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(move || {
        let refused = *refuses.lock();
        let number = issued.fetch_add(1, Ordering::SeqCst) + 1;
        async move {
            match refused {
                Some(status) => (status, "{\"message\": \"no\"}").into_response(),
                None => {
                    json!({"token": format!("t{number}"), "expires_at": "2999-01-01T00:00:00Z"})
                        .to_string()
                        .into_response()
                }
            }
        }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_is_asked_for_anew_and_an_old_key_is_forgotten() {
    let right = Access::Basic { username: "x-access-token".into(), password: "t2".into() };
    let mut world = World::new(right).await;
    let (issued, refuses) = (Arc::<AtomicUsize>::default(), Arc::<Mutex<_>>::default());
    let url = github(Arc::clone(&issued), Arc::clone(&refuses)).await;
    let app = |key: &str| {
        secret(&[
            ("githubAppID", "1"),
            ("githubAppInstallationID", "1"),
            ("githubAppPrivateKey", key),
            ("githubAppBaseURL", &url),
        ])
    };
    let objects = Arc::new(Mutex::new(app(TEST_KEY)));
    let reconciler = world.reconciler_over(Arc::clone(&objects));
    let mut object = world.object(&json!({"provider": "github", "secretRef": {"name": "s"}}));

    // The first token was revoked before it came.
    let (_, settled) = world.turn(&reconciler, &mut object).await;
    assert_eq!(ready(&settled).0, ConditionStatus::False, "{settled:?}");
    assert!(ready(&settled).2.contains("authentication required"), "{settled:?}");
    // Nothing of it is kept: the next turn asks for another, and all that follow share that.
    for round in 0..3 {
        let (_, settled) = world.turn(&reconciler, &mut object).await;
        assert_eq!(ready(&settled).0, ConditionStatus::True, "{settled:?}");
        world.repo.commit("main", &[("c.yaml", Some(&round.to_string()))], "more").unwrap();
    }
    assert_eq!(issued.load(Ordering::SeqCst), 2, "one token serves many turns");

    // Whoever changes the key wants the old one to count no longer, its tokens included.
    *objects.lock() = app(CANARY);
    let (_, settled) = world.turn(&reconciler, &mut object).await;
    assert_eq!(ready(&settled).0, ConditionStatus::False);
    assert!(!format!("{settled:?}").contains(CANARY), "{settled:?}");
    assert_eq!(issued.load(Ordering::SeqCst), 2);

    // An app that is not let in asks once a turn: who comes again, and when, is the back-off.
    let other = TEST_KEY.replace("-----\n", "-----\n\n");
    *objects.lock() = app(&other);
    for (status, turns) in [(StatusCode::UNAUTHORIZED, 3), (StatusCode::TOO_MANY_REQUESTS, 3)] {
        *refuses.lock() = Some(status);
        issued.store(0, Ordering::SeqCst);
        for _ in 0..turns {
            let (_, settled) = world.turn(&reconciler, &mut object).await;
            assert_eq!(ready(&settled).0, ConditionStatus::False, "{status}");
            assert_eq!(ready(&settled).1, "AuthenticationFailed", "{status}");
        }
        assert_eq!(issued.load(Ordering::SeqCst), turns, "{status}: no storm");
    }
    assert!(object.status.unwrap().artifact.is_some(), "the last good artifact is kept");
}
