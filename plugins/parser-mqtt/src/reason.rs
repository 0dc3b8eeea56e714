//! What return and reason codes mean (3.1.1: 3.2.2.3; 5: 2.4), and whose fault they are.

use metaflow_parser_sdk::Status;

/// Status and name of the return code of a CONNACK before MQTT 5.
pub(crate) const fn connack(code: u8) -> (Status, &'static str) {
    match code {
        0 => (Status::Ok, ""),
        1 => (Status::ClientError, "unacceptable protocol version"),
        2 => (Status::ClientError, "identifier rejected"),
        3 => (Status::ServerError, "server unavailable"),
        4 => (Status::ClientError, "bad user name or password"),
        5 => (Status::ClientError, "not authorized"),
        _ => (Status::Unknown, "unknown return code"),
    }
}

/// Status and name of a reason code of MQTT 5, or of SUBACK in any version.
pub(crate) const fn reason(code: u8) -> (Status, &'static str) {
    use Status::{ClientError, Ok, ServerError};
    match code {
        0..=0x7f => (Ok, ""),
        0x80 => (ServerError, "unspecified error"),
        0x81 => (ClientError, "malformed packet"),
        0x82 => (ClientError, "protocol error"),
        0x83 => (ServerError, "implementation specific error"),
        0x84 => (ClientError, "unsupported protocol version"),
        0x85 => (ClientError, "client identifier not valid"),
        0x86 => (ClientError, "bad user name or password"),
        0x87 => (ClientError, "not authorized"),
        0x88 => (ServerError, "server unavailable"),
        0x89 => (ServerError, "server busy"),
        0x8a => (ClientError, "banned"),
        0x8b => (ServerError, "server shutting down"),
        0x8c => (ClientError, "bad authentication method"),
        0x8d => (ClientError, "keep alive timeout"),
        0x8e => (ClientError, "session taken over"),
        0x8f => (ClientError, "topic filter invalid"),
        0x90 => (ClientError, "topic name invalid"),
        0x91 => (ClientError, "packet identifier in use"),
        0x92 => (ClientError, "packet identifier not found"),
        0x93 => (ClientError, "receive maximum exceeded"),
        0x94 => (ClientError, "topic alias invalid"),
        0x95 => (ClientError, "packet too large"),
        0x96 => (ClientError, "message rate too high"),
        0x97 => (ServerError, "quota exceeded"),
        0x98 => (ServerError, "administrative action"),
        0x99 => (ClientError, "payload format invalid"),
        0x9a => (ClientError, "retain not supported"),
        0x9b => (ClientError, "QoS not supported"),
        0x9c => (ServerError, "use another server"),
        0x9d => (ServerError, "server moved"),
        0x9e => (ClientError, "shared subscriptions not supported"),
        0x9f => (ServerError, "connection rate exceeded"),
        0xa0 => (ServerError, "maximum connect time"),
        0xa1 => (ClientError, "subscription identifiers not supported"),
        0xa2 => (ClientError, "wildcard subscriptions not supported"),
        _ => (ServerError, "unknown reason code"),
    }
}
