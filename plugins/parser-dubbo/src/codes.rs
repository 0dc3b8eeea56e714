//! What the status of a response means (`org.apache.dubbo.remoting.exchange.Response`).

use metaflow_parser_sdk::Status;

/// The name of a status, and whose fault it is.
pub(crate) const fn status(code: u8) -> (Status, &'static str) {
    match code {
        20 => (Status::Ok, ""),
        25 => (Status::ServerError, "SERIALIZATION_ERROR"),
        30 => (Status::ClientError, "CLIENT_TIMEOUT"),
        31 => (Status::ServerError, "SERVER_TIMEOUT"),
        35 => (Status::ServerError, "CHANNEL_INACTIVE"),
        40 => (Status::ClientError, "BAD_REQUEST"),
        50 => (Status::ServerError, "BAD_RESPONSE"),
        60 => (Status::ServerError, "SERVICE_NOT_FOUND"),
        70 => (Status::ServerError, "SERVICE_ERROR"),
        80 => (Status::ServerError, "SERVER_ERROR"),
        90 => (Status::ClientError, "CLIENT_ERROR"),
        100 => (Status::ServerError, "SERVER_THREADPOOL_EXHAUSTED_ERROR"),
        _ => (Status::Unknown, ""),
    }
}

/// Serializations by their number (`org.apache.dubbo.common.serialize.Constants`).
pub(crate) const HESSIAN2: u8 = 2;
pub(crate) const FASTJSON: u8 = 6;
pub(crate) const KRYO: u8 = 8;
pub(crate) const GSON: u8 = 16;
pub(crate) const FASTJSON2: u8 = 23;
pub(crate) const KRYO2: u8 = 25;
