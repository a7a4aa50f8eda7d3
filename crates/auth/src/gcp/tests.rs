//! Google Cloud's services as fakes on loopback.

use gitops_core::one_line;

use super::*;
use crate::{
    RegistryCloud,
    fake::{Fake, NOON, context},
    registry_login,
};

fn services(fake: &Fake) -> Services {
    Services { exchange: fake.base.clone(), impersonation: fake.base.clone() }
}

const FEDERATED: (&str, &str) =
    (PROVIDER, "projects/1/locations/global/workloadIdentityPools/pool/providers/own");

#[tokio::test]
async fn the_metadata_server_knows_the_process() {
    let fake = Fake::start().await;
    let path = "/computeMetadata/v1/instance/service-accounts/default/token";
    fake.answer(path, "{\"access_token\": \"t0ken\", \"expires_in\": 3599}");
    let context = context(&[("GCE_METADATA_HOST", fake.host())], None);
    let login =
        registry_login(&context, RegistryCloud::Gcp, "europe-docker.pkg.dev").await.unwrap();
    assert_eq!(login.username.as_deref(), Some("oauth2accesstoken"));
    assert_eq!(login.secret.expose_str(), Some("t0ken"));
    assert_eq!(login.expires_at, NOON.parse::<Timestamp>().unwrap() + Duration::from_secs(3599));
    let (_, _, headers, _) = fake.asked()[0].clone();
    assert_eq!(headers["metadata-flavor"], "Google");
}

#[tokio::test]
async fn accounts_are_federated_and_may_act_as_others() {
    let fake = Fake::start().await;
    fake.answer("/v1/token", "{\"access_token\": \"federated\", \"expires_in\": 60}");
    let direct = context(&[], Some(&[FEDERATED]));
    let token = token_at(&direct, &services(&fake)).await.unwrap();
    assert_eq!(token.secret.expose_str(), Some("federated"));
    let (_, _, _, body) = fake.asked()[0].clone();
    assert!(body.contains("audience=%2F%2Fiam.googleapis.com%2Fprojects%2F1%2F"), "{body}");
    assert!(body.contains("subject_token=k8s-token-for-%2F%2Fiam.googleapis.com"), "{body}");

    let email = (EMAIL, "app@project.iam.gserviceaccount.com");
    let path =
        "/v1/projects/-/serviceAccounts/app@project.iam.gserviceaccount.com:generateAccessToken";
    let acting = "{\"accessToken\": \"acting\", \"expireTime\": \"2026-01-01T13:00:00Z\"}";
    fake.answer(path, acting);
    let acting = context(&[], Some(&[FEDERATED, email]));
    let token = token_at(&acting, &services(&fake)).await.unwrap();
    assert_eq!(token.secret.expose_str(), Some("acting"));
    assert_eq!(token.expires_at.to_string(), "2026-01-01T13:00:00Z");
    let (_, _, headers, _) = fake.asked().pop().unwrap();
    assert_eq!(headers["authorization"], "Bearer federated");
}

#[tokio::test]
async fn on_googles_clusters_the_metadata_server_knows_the_pool() {
    let fake = Fake::start().await;
    for (path, value) in [
        ("project/project-id", "proj"),
        ("instance/attributes/cluster-location", "europe-west1"),
        ("instance/attributes/cluster-name", "c1"),
    ] {
        fake.answer(&format!("/computeMetadata/v1/{path}"), value);
    }
    fake.answer("/v1/token", "{\"access_token\": \"t\", \"expires_in\": 60}");
    let context = context(&[("GCE_METADATA_HOST", fake.host())], Some(&[]));
    token_at(&context, &services(&fake)).await.unwrap();
    let (_, _, _, body) = fake.asked().pop().unwrap();
    let audience =
        "audience=identitynamespace%3Aproj.svc.id.goog%3Ahttps%3A%2F%2Fcontainer.googleapis.com";
    assert!(body.contains(audience), "{body}");
    assert!(body.contains("subject_token=k8s-token-for-proj.svc.id.goog"), "{body}");
}

#[tokio::test]
async fn annotations_are_checked_and_secrets_not_told() {
    let fake = Fake::start().await;
    for (key, value) in [
        (EMAIL, "app@evil.com"),
        (EMAIL, "a/../b@p.iam.gserviceaccount.com"),
        (PROVIDER, "projects/x/locations/global/workloadIdentityPools/p/providers/q"),
        (PROVIDER, "projects/1/locations/global/workloadIdentityPools/p/providers/q/r"),
    ] {
        let context = context(&[], Some(&[(key, value)]));
        let error = one_line(&gcp_token(&context).await.unwrap_err());
        assert!(
            error.contains(&format!("invalid {key} annotation: '{value}'. must match")),
            "{error}"
        );
        assert!(
            error.starts_with("failed to get provider identity from service account 'ns/account'")
        );
    }
    let refused = context(&[], Some(&[FEDERATED]));
    let error = token_at(&refused, &services(&fake)).await.unwrap_err();
    assert!(!format!("{error:?} {}", one_line(&error)).contains("k8s-token-for"), "{error:?}");
}

#[tokio::test]
async fn files_of_credentials() {
    let fake = Fake::start().await;
    fake.answer("/token", "{\"access_token\": \"t\", \"expires_in\": 60}");
    let directory = std::env::temp_dir().join(format!("gcp-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join("credentials.json");
    let write = |value: Value| std::fs::write(&file, value.to_string()).unwrap();
    let context = context(&[("GOOGLE_APPLICATION_CREDENTIALS", file.to_str().unwrap())], None);
    let url = format!("{}/token", fake.base);
    write(json!({
        "type": "authorized_user", "client_id": "id", "client_secret": "c4nary",
        "refresh_token": "r", "token_uri": url,
    }));
    assert_eq!(gcp_token(&context).await.unwrap().secret.expose_str(), Some("t"));
    let (_, _, _, body) = fake.asked().pop().unwrap();
    assert!(body.starts_with("grant_type=refresh_token&client_id=id"), "{body}");
    for broken in [
        json!({"type": "service_account", "private_key": "c4nary", "client_email": "e"}),
        json!({"type": "c4nary-less"}),
        json!({}),
        json!("x"),
    ] {
        write(broken.clone());
        let error = gcp_token(&context).await.unwrap_err();
        let text = format!("{error:?} {}", one_line(&error));
        assert!(!text.contains("\"c4nary\""), "{broken}: {text}");
    }
    std::fs::remove_dir_all(&directory).unwrap();
}

/// Where the proof is, what else is different, and why it fails.
type Case = (Value, fn(&mut Value), &'static str);

#[tokio::test]
async fn external_accounts_are_known_through_others() {
    let fake = Fake::start().await;
    fake.answer("/exchange", "{\"access_token\": \"first\", \"expires_in\": 60}");
    let acting = "{\"accessToken\": \"second\", \"expireTime\": \"2026-01-01T13:00:00Z\"}";
    fake.answer("/act", acting);
    fake.answer("/proof", "{\"value\": \"c4nary-url\"}");
    let directory = std::env::temp_dir().join(format!("gcp-external-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let (file, proof) = (directory.join("credentials.json"), directory.join("proof"));
    std::fs::write(&proof, "c4nary-file\n").unwrap();
    let context = context(&[("GOOGLE_APPLICATION_CREDENTIALS", file.to_str().unwrap())], None);
    let account = |source: Value, change: fn(&mut Value)| {
        let mut own = json!({
            "type": "external_account", "audience": "//iam.googleapis.com/projects/1/x",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": format!("{}/exchange", fake.base), "credential_source": source,
        });
        change(&mut own);
        let act = own["service_account_impersonation_url"].as_str().map(str::to_owned);
        if let Some(act) = act {
            own["service_account_impersonation_url"] = format!("{}{act}", fake.base).into();
        }
        std::fs::write(&file, own.to_string()).unwrap();
    };
    let in_file = json!({"file": proof});
    account(in_file.clone(), |_| {});
    assert_eq!(gcp_token(&context).await.unwrap().secret.expose_str(), Some("first"));
    let (_, _, _, body) = fake.asked().pop().unwrap();
    assert!(body.contains("subject_token=c4nary-file&") || body.ends_with("c4nary-file"), "{body}");

    let at_url = json!({
        "url": format!("{}/proof", fake.base), "headers": {"x-own": "yes"},
        "format": {"type": "json", "subject_token_field_name": "value"},
    });
    account(at_url, |own| own["service_account_impersonation_url"] = "/act".into());
    let token = gcp_token(&context).await.unwrap();
    assert_eq!(token.secret.expose_str(), Some("second"));
    assert_eq!(token.expires_at, "2026-01-01T13:00:00Z".parse::<Timestamp>().unwrap());
    let asked = fake.asked();
    let [.., proof_asked, exchanged, acted] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!(proof_asked.2["x-own"], "yes");
    assert!(exchanged.3.contains("c4nary-url"));
    assert_eq!(acted.2["authorization"], "Bearer first");

    let other = |own: &mut Value| own["token_url"] = "http://127.0.0.1:1/exchange".into();
    let refused = |own: &mut Value| own["service_account_impersonation_url"] = "/no".into();
    let bare = |own: &mut Value| {
        own.as_object_mut().unwrap().remove("audience");
    };
    let none = json!({"file": directory.join("none")});
    let program = json!({"executable": {"command": "c4nary"}});
    let json_file = json!({"file": proof, "format": {"type": "json"}});
    let cases: [Case; 6] = [
        (in_file.clone(), other, "failed to exchange the external account's token"),
        (in_file.clone(), refused, "failed to act as the Google service account"),
        (in_file, bare, "malformed external account"),
        (none, |_| {}, "cannot read the external account's token"),
        (program, |_| {}, "with a token in a file or at a URL"),
        (json_file, |_| {}, "malformed external account"),
    ];
    for (source, change, why) in cases {
        account(source, change);
        let error = gcp_token(&context).await.unwrap_err();
        let text = format!("{error:?} {}", one_line(&error));
        assert!(text.contains(why) && !text.contains("c4nary"), "{text}");
    }
    std::fs::remove_dir_all(&directory).unwrap();
}
