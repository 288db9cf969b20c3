//! ApiVersions: what this broker serves, made from the declarations in `wire`.
//!
//! Produce is advertised from v0 although v3 is the first that is served: librdkafka before 2.11 turns compression off otherwise
//! (KAFKA-18659). transaction.version is not finalized, since clients would switch to transactions v2.

use wire::ErrorCode;
use wire::api::k18_api_versions::{ApiVersion, FinalizedFeatureKey, SupportedFeatureKey};
use wire::api::{ApiKey, ApiVersionsRequest, ApiVersionsResponse};

use crate::catalog::Catalog;
use crate::controller::FEATURES;

/// The first version in which a client names itself.
const CLIENT_SOFTWARE_VERSION: i16 = 3;

/// Answers ApiVersions for a broker that serves these APIs.
pub fn api_versions(
    catalog: &Catalog,
    request: &ApiVersionsRequest,
    version: i16,
    served: &[ApiKey],
) -> ApiVersionsResponse {
    let named = |text: &str| is_software_name(text);
    if version >= CLIENT_SOFTWARE_VERSION
        && !(named(&request.client_software_name) && named(&request.client_software_version))
    {
        return ApiVersionsResponse { error_code: ErrorCode::InvalidRequest.code(), ..ApiVersionsResponse::default() };
    }
    let finalized = catalog.image.features().map(|(name, level)| FinalizedFeatureKey {
        name: name.into(),
        max_version_level: level,
        min_version_level: level,
    });
    let supported = FEATURES.iter().map(|feature| SupportedFeatureKey {
        name: feature.name.into(),
        min_version: feature.min_level,
        max_version: feature.max_level,
    });
    ApiVersionsResponse {
        api_keys: served_versions(served),
        supported_features: supported.collect(),
        finalized_features_epoch: catalog.image.last_offset(),
        finalized_features: finalized.collect(),
        ..ApiVersionsResponse::default()
    }
}

/// The answer, to be encoded as v0, to a version of ApiVersions that is not served; the client chooses another by it.
pub fn api_versions_unsupported(served: &[ApiKey]) -> ApiVersionsResponse {
    ApiVersionsResponse {
        error_code: ErrorCode::UnsupportedVersion.code(),
        api_keys: served_versions(served),
        ..ApiVersionsResponse::default()
    }
}

fn served_versions(served: &[ApiKey]) -> Vec<ApiVersion> {
    let versions = served.iter().map(|api| {
        let versions = api.versions();
        let min_version = if *api == ApiKey::Produce { 0 } else { *versions.start() };
        ApiVersion { api_key: api.key(), min_version, max_version: *versions.end() }
    });
    versions.collect()
}

/// Letters and digits at both ends, `-` and `.` between (KIP-511).
fn is_software_name(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let outer = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    outer(bytes.first()) && outer(bytes.last()) && bytes.iter().all(|&byte| inner(byte))
}
