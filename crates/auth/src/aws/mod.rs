//! Amazon Web Services.

mod codecommit;
mod credentials;
mod sign;

pub use codecommit::{code_commit_credentials, code_commit_region};
pub use credentials::{AwsCredentials, aws_credentials, validate_sts_endpoint};
pub use sign::AwsSigner;
use sign::Payload;
