//! Small blocking clients: one HTTP exchange, and a WebSocket that speaks JSON-RPC.

use crate::host::PATIENCE;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use tungstenite::handshake::client::generate_key;
use tungstenite::protocol::CloseFrame;
use tungstenite::{Message, WebSocket};

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Reply {
    pub fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").expect("a reply has a head");
        let mut lines = head.lines();
        let status = lines
            .next()
            .unwrap()
            .split(' ')
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_ascii_lowercase(), value.trim().to_owned())
        });
        Self {
            status,
            headers: headers.collect(),
            body: body.to_owned(),
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }

    /// `name=value` of the cookie it sets.
    pub fn cookie(&self) -> Option<String> {
        let (cookie, _) = self.header("set-cookie")?.split_once(';')?;
        Some(cookie.to_owned())
    }
}

pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends `request` as it is and reads until the other side closes.
pub fn exchange(address: SocketAddr, request: &[u8]) -> Reply {
    let mut stream = connect(address);
    stream.write_all(request).unwrap();
    Reply::parse(&read_to_end(&mut stream))
}

/// Everything up to the other side's close; a reset after the answer is a close, too.
pub fn read_to_end(stream: &mut impl Read) -> Vec<u8> {
    let mut all = Vec::new();
    let mut part = [0; 4096];
    loop {
        match stream.read(&mut part) {
            Ok(0) => return all,
            Ok(n) => all.extend_from_slice(&part[..n]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return all,
            Err(error) => panic!("nothing more came: {error}"),
        }
    }
}

pub struct Ws {
    pub socket: WebSocket<TcpStream>,
    notifications: VecDeque<Value>,
    last_id: u64,
}

impl Ws {
    /// Opens `/api/ws`; the status when that is refused.
    pub fn open(address: SocketAddr, headers: &[(&str, &str)]) -> Result<Self, u16> {
        let mut request = tungstenite::http::Request::get(format!("ws://{address}/api/ws"))
            .header("Host", address.to_string())
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", generate_key());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let handshake = tungstenite::client(request.body(()).unwrap(), connect(address));
        match handshake {
            Ok((socket, _)) => Ok(Self {
                socket,
                notifications: VecDeque::new(),
                last_id: 0,
            }),
            Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Http(refusal))) => {
                Err(refusal.status().as_u16())
            }
            Err(error) => panic!("the handshake broke: {error}"),
        }
    }

    pub fn send_text(&mut self, text: impl Into<String>) {
        self.socket.send(Message::text(text.into())).unwrap();
    }

    /// Sends a request and returns its id.
    pub fn send(&mut self, method: &str, params: &Value) -> u64 {
        self.last_id += 1;
        let id = self.last_id;
        self.send_text(
            json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string(),
        );
        id
    }

    pub fn notify(&mut self, method: &str, params: &Value) {
        self.send_text(json!({"jsonrpc": "2.0", "method": method, "params": params}).to_string());
    }

    /// The whole answer to `id`.
    #[track_caller]
    pub fn answer(&mut self, id: u64) -> Value {
        loop {
            let message = self.read_json();
            if message.get("method").is_some() {
                self.notifications.push_back(message);
            } else {
                assert_eq!(message["id"], id, "{message}");
                return message;
            }
        }
    }

    /// Asks, and returns the whole answer.
    #[track_caller]
    pub fn call(&mut self, method: &str, params: &Value) -> Value {
        let id = self.send(method, params);
        self.answer(id)
    }

    /// Asks for something that must work, and returns the result.
    #[track_caller]
    pub fn ok(&mut self, method: &str, params: &Value) -> Value {
        let answer = self.call(method, params);
        assert!(answer.get("error").is_none(), "{answer}");
        answer["result"].clone()
    }

    /// Asks for something that must fail, and returns the code.
    #[track_caller]
    pub fn error_code(&mut self, method: &str, params: &Value) -> i64 {
        let answer = self.call(method, params);
        answer["error"]["code"]
            .as_i64()
            .unwrap_or_else(|| panic!("it worked: {answer}"))
    }

    /// The next answer or other message that is no notification.
    #[track_caller]
    pub fn next_answer(&mut self) -> Value {
        loop {
            let message = self.read_json();
            if message.get("method").is_none() {
                return message;
            }
            self.notifications.push_back(message);
        }
    }

    /// The parameters of the next notification called `method`; others are kept for later.
    #[track_caller]
    pub fn notification(&mut self, method: &str) -> Value {
        loop {
            let found = self
                .notifications
                .iter()
                .position(|message| message["method"] == method);
            if let Some(message) = found.and_then(|index| self.notifications.remove(index)) {
                return message["params"].clone();
            }
            let message = self.read_json();
            assert!(
                message.get("method").is_some(),
                "an answer to nothing: {message}"
            );
            self.notifications.push_back(message);
        }
    }

    #[track_caller]
    fn read_json(&mut self) -> Value {
        loop {
            match self.socket.read().expect("a message comes") {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("expected text: {other:?}"),
            }
        }
    }

    /// Reads until the other side closes, and returns its close frame.
    pub fn close_frame(&mut self) -> Option<CloseFrame> {
        loop {
            match self.socket.read().expect("a close frame comes") {
                Message::Close(frame) => return frame,
                Message::Text(text) => self
                    .notifications
                    .extend(serde_json::from_str::<Value>(&text)),
                _ => {}
            }
        }
    }
}

impl Ws {
    /// The whole answer to `id`; answers to other calls before it are skipped.
    #[track_caller]
    pub fn answer_among_others(&mut self, id: u64) -> Value {
        loop {
            let message = self.read_json();
            if message.get("method").is_some() {
                self.notifications.push_back(message);
            } else if message["id"] == id {
                return message;
            }
        }
    }

    /// Waits for a notification for longer than a silent connection lasts: this one and `other` go on
    /// talking meanwhile.
    #[track_caller]
    pub fn notification_alive(&mut self, method: &str, other: &mut Self) -> Value {
        let start = std::time::Instant::now();
        while start.elapsed() < 2 * PATIENCE {
            if self.seen(method).is_some() {
                return self.notification(method);
            }
            self.ok("ping", &json!({}));
            other.ok("ping", &json!({}));
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
        panic!("{method} did not come");
    }
}

impl Ws {
    /// A notification called `method` that was read already while something else was waited for.
    pub fn seen(&self, method: &str) -> Option<&Value> {
        self.notifications
            .iter()
            .find(|message| message["method"] == method)
    }
}
