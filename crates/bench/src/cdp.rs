//! A small client of the Chrome DevTools Protocol over a pair of pipes: one call at a time, events
//! that nobody waits for are dropped.

use crate::BenchError;
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// Far longer than any call takes on a machine that is merely busy.
const CALL_LIMIT: Duration = Duration::from_secs(30);

/// A tab that calls can be sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tab {
    pub(crate) target: String,
    pub(crate) session: String,
}

/// The connection to one browser.
pub(crate) struct Cdp {
    writer: Box<dyn Write + Send>,
    messages: Receiver<Message>,
    last_id: u64,
}

#[derive(Debug, Deserialize)]
struct Message {
    /// Absent in events.
    id: Option<u64>,
    #[serde(default)]
    method: String,
    #[serde(default)]
    result: Value,
    error: Option<ProtocolError>,
}

#[derive(Debug, Deserialize)]
struct ProtocolError {
    message: String,
}

fn failed(why: impl Into<String>) -> BenchError {
    BenchError::program("the browser", why)
}

impl Cdp {
    /// Speaks over these ends of the browser's pipes.
    pub(crate) fn new(
        writer: impl Write + Send + 'static,
        reader: impl Read + Send + 'static,
    ) -> Self {
        let (sender, messages) = mpsc::channel();
        std::thread::spawn(move || {
            for text in BufReader::new(reader).split(0).map_while(Result::ok) {
                let message: Option<Message> = serde_json::from_slice(&text).ok();
                if message.is_some_and(|message| sender.send(message).is_err()) {
                    return;
                }
            }
        });
        Self {
            writer: Box::new(writer),
            messages,
            last_id: 0,
        }
    }

    /// Calls a method of the browser.
    pub(crate) fn call(&mut self, method: &str, params: &Value) -> Result<Value, BenchError> {
        self.send(json!({"method": method, "params": params}))
    }

    /// Calls a method of a tab.
    pub(crate) fn call_tab(
        &mut self,
        tab: &Tab,
        method: &str,
        params: &Value,
    ) -> Result<Value, BenchError> {
        self.send(json!({"method": method, "params": params, "sessionId": tab.session}))
    }

    /// Asks the browser to end, without waiting for it.
    pub(crate) fn say_goodbye(&mut self) {
        // A browser that does not listen is ended by force.
        let _ = self.write(json!({"method": "Browser.close"}));
    }

    /// Writes a request under the next number; answers its method.
    fn write(&mut self, mut request: Value) -> Result<String, BenchError> {
        self.last_id += 1;
        request["id"] = self.last_id.into();
        let mut text = request.to_string().into_bytes();
        text.push(0);
        let written = self.writer.write_all(&text);
        let written = written.and_then(|()| self.writer.flush());
        written.map_err(|error| failed(format!("does not listen: {error}")))?;
        Ok(request["method"].as_str().unwrap_or_default().to_owned())
    }

    fn send(&mut self, request: Value) -> Result<Value, BenchError> {
        let method = self.write(request)?;
        let deadline = Instant::now() + CALL_LIMIT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let message = match self.messages.recv_timeout(left) {
                Ok(message) => message,
                Err(RecvTimeoutError::Disconnected) => return Err(failed("ended")),
                Err(RecvTimeoutError::Timeout) => {
                    return Err(BenchError::Timeout {
                        what: format!("an answer of the browser to {method}"),
                        after: CALL_LIMIT,
                    });
                }
            };
            if message.method == "Inspector.targetCrashed" {
                return Err(failed("lost a tab: it crashed"));
            }
            if message.id == Some(self.last_id) {
                return match message.error {
                    Some(error) => Err(failed(format!("refuses {method}: {}", error.message))),
                    None => Ok(message.result),
                };
            }
        }
    }

    /// Opens an empty tab in a window of its own, so that it is never in the background.
    pub(crate) fn open_tab(&mut self) -> Result<Tab, BenchError> {
        let params = json!({"url": "about:blank", "newWindow": true});
        let target = text(&self.call("Target.createTarget", &params)?, "targetId")?;
        let params = json!({"targetId": target, "flatten": true});
        let session = text(&self.call("Target.attachToTarget", &params)?, "sessionId")?;
        let tab = Tab { target, session };
        self.call_tab(&tab, "Page.enable", &json!({}))?;
        self.call_tab(&tab, "Inspector.enable", &json!({}))?;
        Ok(tab)
    }

    pub(crate) fn close_tab(&mut self, tab: &Tab) -> Result<(), BenchError> {
        let params = json!({"targetId": tab.target});
        self.call("Target.closeTarget", &params).map(|_| ())
    }

    /// Runs `script` in a tab before the page's own scripts, from the next page on. The page's
    /// content policy does not apply to it.
    pub(crate) fn run_first(&mut self, tab: &Tab, script: &str) -> Result<(), BenchError> {
        self.call_tab(tab, "Page.setBypassCSP", &json!({"enabled": true}))?;
        let params = json!({"source": script});
        self.call_tab(tab, "Page.addScriptToEvaluateOnNewDocument", &params)
            .map(|_| ())
    }

    /// The value of an expression in a tab; promises are waited for.
    pub(crate) fn evaluate(&mut self, tab: &Tab, expression: &str) -> Result<Value, BenchError> {
        let params = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let answer = self.call_tab(tab, "Runtime.evaluate", &params)?;
        if let Some(thrown) = answer.get("exceptionDetails") {
            let described = thrown["exception"]["description"].as_str();
            let words = described
                .or(thrown["text"].as_str())
                .unwrap_or("an exception");
            return Err(BenchError::Page(words.to_owned()));
        }
        Ok(answer["result"]["value"].clone())
    }
}

fn text(answer: &Value, key: &str) -> Result<String, BenchError> {
    let found = answer[key].as_str().map(str::to_owned);
    found.ok_or_else(|| failed(format!("answers without {key}")))
}
