//! JSON-RPC 2.0 envelopes: what comes in is sorted into calls and errors, what goes out is written.
//!
//! It knows no method; it refuses nothing but what is no request.

use serde::Serialize;
use serde_json::{Map, Value, json};

/// Most requests in one batch.
pub const MAX_BATCH: usize = 32;

/// An error object.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RpcError {
    /// One of the numbers of JSON-RPC, or of this host (−32000 to −32099).
    pub code: i32,
    /// What went wrong, in words.
    pub message: String,
    /// More of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

impl RpcError {
    fn new(code: i32, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            data: None,
        }
    }

    /// −32700: the message is no JSON.
    #[must_use]
    pub fn unparsable() -> Self {
        Self::new(-32700, "the message is not JSON")
    }

    /// −32600: JSON, but no request.
    #[must_use]
    pub fn invalid_request(why: &str) -> Self {
        Self::new(-32600, why)
    }

    /// −32601: no such method.
    #[must_use]
    pub fn unknown_method(name: &str) -> Self {
        let shown: String = name.chars().take(64).collect();
        Self::new(-32601, format!("there is no method {shown:?}"))
    }

    /// −32602: the method does not take these parameters.
    #[must_use]
    pub fn bad_params(message: impl Into<String>) -> Self {
        Self::new(-32602, message)
    }

    /// −32603: the method failed.
    #[must_use]
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(-32603, message)
    }

    /// −32000: too much at once.
    #[must_use]
    pub fn busy(message: impl Into<String>) -> Self {
        Self::new(-32000, message)
    }

    /// −32001: the method needs a session and there is none.
    #[must_use]
    pub fn no_session() -> Self {
        Self::new(-32001, "there is no session: send an offer first")
    }

    /// −32002: the caller may not do this.
    #[must_use]
    pub fn not_allowed() -> Self {
        Self::new(-32002, "not allowed")
    }

    /// −32003: somebody else drives.
    #[must_use]
    pub fn not_driving(message: impl Into<String>) -> Self {
        Self::new(-32003, message)
    }

    /// −32004: this host cannot do it.
    #[must_use]
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(-32004, message)
    }

    /// The same error with details.
    #[must_use]
    pub fn with_data(mut self, data: impl Into<Value>) -> Self {
        self.data = Some(data.into());
        self
    }
}

/// The name under which the caller wants its answer: a string, a number or null.
#[derive(Clone, Debug, PartialEq)]
pub struct Id(Value);

impl Id {
    /// The answer to something whose id could not be read.
    #[must_use]
    pub const fn null() -> Self {
        Self(Value::Null)
    }
}

/// One request or notification.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Absent in a notification, which gets no answer.
    pub id: Option<Id>,
    /// Name of the method.
    pub method: String,
    /// An object or an array; an empty object when there were none.
    pub params: Value,
}

/// One element of what came in.
pub type Item = Result<Call, (Id, RpcError)>;

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    /// One call, or something that is none.
    Single(Item),
    /// One to [`MAX_BATCH`] of them, to be answered together.
    Batch(Vec<Item>),
}

/// Sorts one message. Never fails: what is wrong with it is part of the result.
#[must_use]
pub fn parse(message: &[u8]) -> Incoming {
    let refused = |error| Incoming::Single(Err((Id::null(), error)));
    match serde_json::from_slice(message) {
        Err(_) => refused(RpcError::unparsable()),
        Ok(Value::Array(items)) if items.is_empty() => {
            refused(RpcError::invalid_request("the batch is empty"))
        }
        Ok(Value::Array(items)) if items.len() > MAX_BATCH => refused(RpcError::invalid_request(
            &format!("the batch has more than {MAX_BATCH} requests"),
        )),
        Ok(Value::Array(items)) => Incoming::Batch(items.into_iter().map(item).collect()),
        Ok(value) => Incoming::Single(item(value)),
    }
}

fn item(value: Value) -> Item {
    let refused = |id, why: &str| Err((id, RpcError::invalid_request(why)));
    let Value::Object(mut object) = value else {
        return refused(Id::null(), "a request is an object");
    };
    let id = match object.remove("id") {
        None => None,
        Some(id @ (Value::Null | Value::Number(_) | Value::String(_))) => Some(Id(id)),
        Some(_) => return refused(Id::null(), "an id is a string, a number or null"),
    };
    let answer_to = id.clone().unwrap_or(Id::null());
    if object.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return refused(answer_to, "jsonrpc must be \"2.0\"");
    }
    let Some(Value::String(method)) = object.remove("method") else {
        return refused(answer_to, "method must be a string");
    };
    let params = match object.remove("params") {
        None => Value::Object(Map::new()),
        Some(params @ (Value::Object(_) | Value::Array(_))) => params,
        Some(_) => return refused(answer_to, "params must be an object or an array"),
    };
    Ok(Call { id, method, params })
}

/// One answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// What it answers.
    pub id: Id,
    /// How it went. No value is `null`.
    pub outcome: Result<Value, RpcError>,
}

impl Response {
    fn to_value(&self) -> Value {
        match &self.outcome {
            Ok(result) => json!({ "jsonrpc": "2.0", "id": self.id.0, "result": result }),
            Err(error) => json!({ "jsonrpc": "2.0", "id": self.id.0, "error": error }),
        }
    }
}

/// Writes the answer to a single request.
#[must_use]
pub fn write_response(response: &Response) -> String {
    response.to_value().to_string()
}

/// Writes the answers to a batch.
#[must_use]
pub fn write_batch(responses: &[Response]) -> String {
    Value::Array(responses.iter().map(Response::to_value).collect()).to_string()
}

/// Writes a notification.
///
/// # Errors
/// When `params` cannot be written as JSON, which is a mistake of ours.
pub fn write_notification(method: &str, params: &impl Serialize) -> serde_json::Result<String> {
    #[derive(Serialize)]
    struct Notification<'a, P> {
        jsonrpc: &'static str,
        method: &'a str,
        params: &'a P,
    }
    serde_json::to_string(&Notification {
        jsonrpc: "2.0",
        method,
        params,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_code(message: &str) -> i32 {
        match parse(message.as_bytes()) {
            Incoming::Single(Err((_, error))) => error.code,
            other => panic!("{message} is read as {other:?}"),
        }
    }

    #[test]
    fn a_request_is_read() {
        let message = br#"{"jsonrpc":"2.0","id":"a","method":"ping","params":[1]}"#;
        let expected = Call {
            id: Some(Id(json!("a"))),
            method: "ping".to_owned(),
            params: json!([1]),
        };
        assert_eq!(parse(message), Incoming::Single(Ok(expected)));
    }

    #[test]
    fn only_a_missing_id_makes_a_notification() {
        let with_null = parse(br#"{"jsonrpc":"2.0","id":null,"method":"x"}"#);
        assert!(matches!(
            with_null,
            Incoming::Single(Ok(Call { id: Some(_), .. }))
        ));
        let without = parse(br#"{"jsonrpc":"2.0","method":"x"}"#);
        assert!(matches!(
            without,
            Incoming::Single(Ok(Call { id: None, .. }))
        ));
    }

    #[test]
    fn what_is_no_json_is_unparsable() {
        let deep = "[".repeat(100_000);
        for message in [
            "",
            "{",
            "nonsense",
            "{\"jsonrpc\":\"2.0\"",
            "\u{feff}{}",
            &deep,
        ] {
            assert_eq!(error_code(message), -32700, "{message:.20}");
        }
        assert!(
            matches!(parse(b"\"\xff\xfe\""), Incoming::Single(Err((_, e))) if e.code == -32700)
        );
    }

    #[test]
    fn what_is_no_request_is_invalid() {
        for message in [
            "1",
            "null",
            "[]",
            "{}",
            r#"{"jsonrpc":"1.0","id":1,"method":"x"}"#,
            r#"{"jsonrpc":"2.0","id":1}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":7}"#,
            r#"{"jsonrpc":"2.0","id":{},"method":"x"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"x","params":"text"}"#,
        ] {
            assert_eq!(error_code(message), -32600, "{message}");
        }
    }

    #[test]
    fn an_invalid_request_is_answered_under_its_id() {
        let Incoming::Single(Err((id, error))) = parse(br#"{"jsonrpc":"2.0","id":5}"#) else {
            panic!("it is no call");
        };
        let answer = write_response(&Response {
            id,
            outcome: Err(error),
        });
        assert!(answer.contains("\"id\":5"), "{answer}");
    }

    #[test]
    fn a_batch_keeps_good_and_bad_apart_and_is_bounded() {
        let Incoming::Batch(items) = parse(br#"[{"jsonrpc":"2.0","method":"x"}, 1]"#) else {
            panic!("it is a batch");
        };
        assert!(items[0].is_ok() && items[1].is_err());
        let many = format!("[{}]", vec!["1"; MAX_BATCH + 1].join(","));
        assert_eq!(error_code(&many), -32600);
    }

    #[test]
    fn no_value_is_written_as_null() {
        let answer = write_response(&Response {
            id: Id(json!(1)),
            outcome: Ok(Value::Null),
        });
        let expected = json!({"jsonrpc": "2.0", "id": 1, "result": null});
        assert_eq!(serde_json::from_str::<Value>(&answer).unwrap(), expected);
        assert!(answer.contains("\"result\":null"));
    }

    #[test]
    fn an_unknown_method_is_named_but_not_repeated_at_length() {
        let error = RpcError::unknown_method(&"x".repeat(60_000));
        assert!(error.message.len() < 100);
    }
}
