//! The clouds' registries as fakes on loopback.

use gitops_core::one_line;

use super::*;
use crate::fake::{Fake, NOON, context};

const KEYS: [(&str, &str); 2] =
    [("AWS_ACCESS_KEY_ID", "AKID"), ("AWS_SECRET_ACCESS_KEY", "c4nary-key")];

#[test]
fn hosts_of_ecr() {
    let place = |host| aws_place(host).map(|place| (place.region, place.domain, place.fips));
    for (host, region, domain, fips) in [
        ("1.dkr.ecr.eu-west-1.amazonaws.com", "eu-west-1", "amazonaws.com", false),
        ("1.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1", "amazonaws.com", true),
        ("1.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1", "amazonaws.com.cn", false),
        ("1.dkr-ecr.eu-west-1.on.aws", "eu-west-1", "amazonaws.com", false),
        ("public.ecr.aws", "us-east-1", "amazonaws.com", false),
    ] {
        assert_eq!(place(host).unwrap(), (region.into(), domain.into(), fips), "{host}");
    }
    for host in
        ["ghcr.io", "1.dkr.ecr.x.evil.com", "1.dkr.ecr.amazonaws.com", "x.dkr.ecr.r.amazonaws.com/"]
    {
        let error = aws_place(host).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("invalid AWS registry: '{host}'. must match")),
            "{error}"
        );
    }
}

#[test]
fn hosts_of_azure_and_google() {
    assert_eq!(
        azure_scope("x.azurecr.io").unwrap(),
        "https://containerregistry.azure.net/.default"
    );
    assert!(azure_scope("x.azurecr.us").unwrap().contains("usgovcloudapi"));
    for host in ["ghcr.io", ".azurecr.io", "azurecr.io.evil.com"] {
        assert!(azure_scope(host).unwrap_err().to_string().starts_with("invalid Azure registry"));
    }
    for host in ["gcr.io", "eu.gcr.io", "europe-docker.pkg.dev", "docker.s3nsregistry.fr"] {
        check_gcp(host).unwrap();
    }
    for host in ["evilgcr.io", "gcr.io.evil.com", ".gcr.io"] {
        assert!(check_gcp(host).unwrap_err().to_string().starts_with("invalid GCP registry"));
    }
}

#[tokio::test]
async fn ecr_gives_a_password() {
    let fake = Fake::start().await;
    let token = STANDARD.encode("AWS:pass:word");
    fake.answer(
        "/",
        &format!(
            "{{\"authorizationData\": [{{\"authorizationToken\": \"{token}\", \
             \"expiresAt\": 1767312000.5, \"proxyEndpoint\": \"x\"}}]}}"
        ),
    );
    let environment =
        [KEYS[0], KEYS[1], ("AWS_ENDPOINT_URL_ECR", &fake.base), ("AWS_REGION", "eu-west-1")];
    let context = context(&environment, None);
    let host = "1.dkr.ecr.eu-west-1.amazonaws.com";
    let login = registry_login(&context, RegistryCloud::Aws, host).await.unwrap();
    assert_eq!(login.username.as_deref(), Some("AWS"));
    assert_eq!(login.secret.expose_str(), Some("pass:word"));
    assert_eq!(login.expires_at.as_second(), 1_767_312_000);
    let (method, _, headers, body) = fake.asked()[0].clone();
    assert_eq!((method.as_str(), body.as_str()), ("POST", "{}"));
    let target = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken";
    assert_eq!(headers["x-amz-target"], target);
    assert!(headers["authorization"].contains("/eu-west-1/ecr/aws4_request"));
    assert!(!format!("{headers:?}").contains("c4nary"));

    fake.answer("/", "{}");
    let error = registry_login(&context, RegistryCloud::Aws, host).await.unwrap_err();
    assert!(one_line(&error).contains("no authorization data returned"), "{error}");
}

#[tokio::test]
async fn the_public_registry_of_aws_has_an_api_of_its_own() {
    let fake = Fake::start().await;
    let token = STANDARD.encode("AWS:p");
    fake.answer(
        "/",
        &format!(
            "{{\"authorizationData\": {{\"authorizationToken\": \"{token}\", \"expiresAt\": 1}}}}"
        ),
    );
    let environment = [KEYS[0], KEYS[1], ("AWS_ENDPOINT_URL_ECR_PUBLIC", &fake.base)];
    let context = context(&environment, None);
    let login = registry_login(&context, RegistryCloud::Aws, PUBLIC_ECR).await.unwrap();
    assert_eq!(login.secret.expose_str(), Some("p"));
    let (_, _, headers, _) = fake.asked()[0].clone();
    assert_eq!(headers["x-amz-target"], "SpencerFrontendService.GetAuthorizationToken");
    assert!(headers["authorization"].contains("/us-east-1/ecr-public/aws4_request"));
}

#[tokio::test]
async fn azure_exchanges_a_token() {
    let fake = Fake::start().await;
    let claims = URL_SAFE_NO_PAD.encode("{\"exp\": 1767300000}");
    fake.answer("/oauth2/exchange", &format!("{{\"refresh_token\": \"a.{claims}.c\"}}"));
    let context = context(&[], None);
    let token = Token::new(Secret::from("entra-t0ken"), NOON.parse().unwrap());
    let host = "x.azurecr.io";
    let login = azure_exchange(&context, &fake.base, host, &token).await.unwrap();
    assert_eq!(login.username.as_deref(), Some(NOBODY));
    assert_eq!(login.secret.expose_str(), Some(format!("a.{claims}.c").as_str()));
    assert_eq!(login.expires_at.as_second(), 1_767_300_000);
    let (_, _, _, body) = fake.asked()[0].clone();
    assert_eq!(body, "grant_type=access_token&service=x.azurecr.io&access_token=entra-t0ken");

    let refused = Fake::start().await;
    let error = azure_exchange(&context, &refused.base, host, &token).await.unwrap_err();
    assert!(!format!("{error:?} {}", one_line(&error)).contains("entra-t0ken"));
}

#[tokio::test]
async fn azure_as_an_account_of_the_cluster() {
    let fake = Fake::start().await;
    let path = "/tenant/oauth2/v2.0/token";
    fake.answer(path, "{\"access_token\": \"entra\", \"expires_in\": 3600}");
    let environment = [("AZURE_AUTHORITY_HOST", fake.base.as_str())];
    let annotations = [
        ("azure.workload.identity/tenant-id", "tenant"),
        ("azure.workload.identity/client-id", "client"),
    ];
    let context = context(&environment, Some(&annotations));
    // The registry itself cannot be reached.
    let login = registry_login(&context, RegistryCloud::Azure, "x.invalid.azurecr.io").await;
    assert!(login.is_err());
    let (_, _, _, body) = fake.asked()[0].clone();
    assert!(body.contains("scope=https%3A%2F%2Fcontainerregistry.azure.net%2F.default"), "{body}");
}
