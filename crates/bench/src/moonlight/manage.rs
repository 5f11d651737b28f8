//! The host's management socket, as a program of its user has it: lets the client in, and hears the
//! host's times of each frame.

use super::watching::Records;
use crate::BenchError;
use crate::frames::HostTimes;
use crate::host_process::HostProcess;
use crate::page::LOOK_AGAIN;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection.
pub(super) struct Management {
    write: UnixStream,
    answers: Mutex<Receiver<Value>>,
    calls: AtomicU64,
}

impl Management {
    /// Connects; the times of frames go into `records` from [`Self::hear_frames`] on.
    pub(super) fn connect(host: &HostProcess, records: Arc<Records>) -> Result<Self, BenchError> {
        let failed = BenchError::system("the host's management socket");
        let write = UnixStream::connect(host.management_socket()?).map_err(&failed)?;
        let read = BufReader::new(write.try_clone().map_err(&failed)?);
        let (sender, answers) = channel();
        std::thread::spawn(move || hear(read, &sender, &records));
        Ok(Self {
            write,
            answers: Mutex::new(answers),
            calls: AtomicU64::new(0),
        })
    }

    fn call(&self, method: &str, params: &Value) -> Result<Value, BenchError> {
        let failed = |why: String| BenchError::program("the host", format!("{why} ({method})"));
        let id = self.calls.fetch_add(1, Ordering::Relaxed);
        let call = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        let written = (&self.write).write_all(format!("{call}\n").as_bytes());
        written.map_err(|error| failed(error.to_string()))?;
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let answer = answers.recv_timeout(PATIENCE);
            let mut answer = answer.map_err(|_| failed("does not answer".to_owned()))?;
            if answer["id"] != id {
                continue;
            }
            return match answer["error"]["message"].as_str() {
                Some(message) => Err(failed(message.to_owned())),
                None => Ok(answer["result"].take()),
            };
        }
    }

    /// Enters the PIN of the one client that asks to be paired, once it does.
    pub(super) fn enter_pin(&self, pin: &str) -> Result<(), BenchError> {
        let waiting = || -> Result<Option<Value>, BenchError> {
            let pairings = self.call("listPairings", &json!({}))?;
            Ok(pairings["pairings"].get(0).map(|one| one["id"].clone()))
        };
        let id = until("a client that asks to be paired", waiting)?;
        self.call("enterPin", &json!({"pin": pin, "id": id}))?;
        Ok(())
    }

    /// Hears the times of each frame of the Moonlight session from now on.
    pub(super) fn hear_frames(&self) -> Result<(), BenchError> {
        let session = || -> Result<Option<Value>, BenchError> {
            let sessions = self.call("listSessions", &json!({}))?;
            let sessions = sessions["sessions"].as_array().into_iter().flatten();
            // The one before may not be gone yet.
            let moonlight = sessions.filter(|session| session["via"] == "moonlight");
            let newest = moonlight.max_by_key(|session| session["since"].as_u64());
            Ok(newest.map(|session| session["id"].clone()))
        };
        let session = until("a Moonlight session", session)?;
        self.call(
            "subscribeStats",
            &json!({"frames": true, "session": session}),
        )?;
        Ok(())
    }
}

impl Drop for Management {
    fn drop(&mut self) {
        // The thread that reads ends with the connection.
        let _ = self.write.shutdown(std::net::Shutdown::Both);
    }
}

fn until<T>(what: &str, look: impl Fn() -> Result<Option<T>, BenchError>) -> Result<T, BenchError> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(found) = look()? {
            return Ok(found);
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    Err(BenchError::Timeout {
        what: what.to_owned(),
        after: PATIENCE,
    })
}

fn hear(read: BufReader<UnixStream>, answers: &Sender<Value>, records: &Records) {
    for line in read.lines().map_while(Result::ok) {
        let Ok(mut message) = serde_json::from_str::<Value>(&line) else {
            records.problem("the host says something that is no JSON".to_owned());
            return;
        };
        if message["method"] == "statsFrames" {
            let frames = message["params"]["frames"].take();
            match serde_json::from_value::<Vec<HostTimes>>(frames) {
                Ok(times) => records.host(times),
                Err(error) => records.problem(format!("times of another shape: {error}")),
            }
        } else if message.get("method").is_none() && answers.send(message).is_err() {
            return;
        }
    }
}
