//! Alerts (RFC 8446, 6): their names, and whose fault they are.

use metaflow_parser_sdk::Status;

pub(crate) const CLOSE_NOTIFY: u8 = 0;

pub(crate) const fn name(description: u8) -> &'static str {
    match description {
        CLOSE_NOTIFY => "close_notify",
        10 => "unexpected_message",
        20 => "bad_record_mac",
        21 => "decryption_failed",
        22 => "record_overflow",
        30 => "decompression_failure",
        40 => "handshake_failure",
        41 => "no_certificate",
        42 => "bad_certificate",
        43 => "unsupported_certificate",
        44 => "certificate_revoked",
        45 => "certificate_expired",
        46 => "certificate_unknown",
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        50 => "decode_error",
        51 => "decrypt_error",
        60 => "export_restriction",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        86 => "inappropriate_fallback",
        90 => "user_canceled",
        100 => "no_renegotiation",
        109 => "missing_extension",
        110 => "unsupported_extension",
        112 => "unrecognized_name",
        113 => "bad_certificate_status_response",
        115 => "unknown_psk_identity",
        116 => "certificate_required",
        120 => "no_application_protocol",
        _ => "unknown alert",
    }
}

/// The side that complains is not the one at fault, unless it says so.
pub(crate) const fn blame(description: u8, by_server: bool) -> Status {
    match (description, by_server) {
        (CLOSE_NOTIFY, _) => Status::Unknown,
        (80, true) | (90, false) => {
            if by_server {
                Status::ServerError
            } else {
                Status::ClientError
            }
        }
        (80, false) | (_, true) => Status::ClientError,
        (_, false) => Status::ServerError,
    }
}
