//! A proxy in front of an S3 server that knows what is asked, and answers some of it badly.
//!
//! Requests are passed on as they are, `Host` included, so their signatures hold.

#![allow(clippy::unwrap_used)]

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::s3::Server;

/// What is asked of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Content of an object.
    Read,
    /// The objects below a prefix.
    List,
    /// A whole object.
    Put,
    /// The begin of an upload in parts.
    Begin,
    /// A part of it.
    Part,
    /// Its end.
    Complete,
    /// Anything else.
    Other,
}

/// How it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// With a status and a code.
    Status(u16, &'static str),
    /// With a reset of the connection, before the request was read.
    Reset,
    /// With the first half of what the server answers.
    Half,
    /// Not at all.
    Silence,
}

/// Which requests are answered so.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) operation: Operation,
    /// A part of the path.
    pub(crate) path: &'static str,
    pub(crate) fault: Fault,
    /// How many are answered well before.
    pub(crate) after: usize,
    /// How many of them; all where `None`.
    pub(crate) times: Option<usize>,
}

/// A request that came by.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) operation: Operation,
    pub(crate) path: String,
    /// Access key that signed it.
    pub(crate) key: String,
}

/// The proxy; it ends with this value.
pub(crate) struct S3Proxy {
    state: Arc<State>,
    port: u16,
}

struct State {
    upstream: String,
    rule: Mutex<Option<Rule>>,
    hits: Mutex<usize>,
    asked: Mutex<Vec<Asked>>,
    closed: AtomicBool,
}

impl S3Proxy {
    /// Listens on a free port for a server.
    pub(crate) fn start(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let state = Arc::new(State {
            upstream: server.endpoint.trim_start_matches("http://").to_owned(),
            rule: Mutex::default(),
            hits: Mutex::default(),
            asked: Mutex::default(),
            closed: AtomicBool::new(false),
        });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if shared.closed.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&shared);
                thread::spawn(move || drop(shared.talk(client)));
            }
        });
        Self { state, port }
    }

    /// The server as it is seen through the proxy.
    pub(crate) fn server(&self, behind: &Server) -> Server {
        Server { endpoint: format!("http://127.0.0.1:{}", self.port), ..behind.clone() }
    }

    /// From now on, this rule alone.
    pub(crate) fn set(&self, rule: Option<Rule>) {
        *self.state.hits.lock().unwrap() = 0;
        *self.state.rule.lock().unwrap() = rule;
    }

    /// How often the rule was used.
    pub(crate) fn hits(&self) -> usize {
        *self.state.hits.lock().unwrap()
    }

    /// All requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.state.asked.lock().unwrap().clone()
    }
}

impl Drop for S3Proxy {
    fn drop(&mut self) {
        self.state.closed.store(true, Ordering::SeqCst);
        // Wakes the listener up.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

impl State {
    fn talk(&self, mut client: TcpStream) -> io::Result<()> {
        let mut server = TcpStream::connect(&self.upstream)?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        while let Some(head) = peek_head(&client)? {
            let text = String::from_utf8_lossy(&head).into_owned();
            let asked = classify(&text);
            self.asked.lock().unwrap().push(asked.clone());
            let fault = self.fault(&asked);
            if fault == Some(Fault::Reset) {
                // What was not read makes the system reset the connection.
                return Ok(());
            }
            let mut request = vec![0; head.len()];
            client.read_exact(&mut request)?;
            let length = header(&text, "content-length").and_then(|n| n.parse().ok()).unwrap_or(0);
            let mut body = vec![0; length];
            client.read_exact(&mut body)?;
            match fault {
                Some(Fault::Status(status, code)) => {
                    let xml = format!(
                        "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>injected</Message></Error>"
                    );
                    let xml = if text.starts_with("HEAD ") { String::new() } else { xml };
                    write!(
                        client,
                        "HTTP/1.1 {status} Injected\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{xml}",
                        xml.len()
                    )?;
                    return client.shutdown(Shutdown::Both);
                }
                Some(Fault::Silence) => {
                    // Until whoever asked has had enough.
                    let _ = client.read(&mut [0]);
                    return Ok(());
                }
                _ => {}
            }
            server.write_all(&request)?;
            server.write_all(&body)?;
            let (head, body) = answer(&mut server, text.starts_with("HEAD "))?;
            if fault == Some(Fault::Half) {
                let half = match body.len() {
                    0 => head[..head.len() / 2].to_vec(),
                    length => [&head[..], &body[..length / 2]].concat(),
                };
                client.write_all(&half)?;
                return client.shutdown(Shutdown::Both);
            }
            client.write_all(&head)?;
            client.write_all(&body)?;
        }
        Ok(())
    }

    fn fault(&self, asked: &Asked) -> Option<Fault> {
        let mut rule = self.rule.lock().unwrap();
        let rule = rule.as_mut()?;
        let fits = rule.operation == asked.operation && asked.path.contains(rule.path);
        if !fits || rule.times == Some(0) {
            return None;
        }
        if rule.after > 0 {
            rule.after -= 1;
            return None;
        }
        rule.times = rule.times.map(|times| times - 1);
        *self.hits.lock().unwrap() += 1;
        Some(rule.fault)
    }
}

/// The head of the next request, which stays unread; `None` at the end.
fn peek_head(client: &TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let seen = client.peek(&mut buffer)?;
        if seen == 0 {
            return Ok(None);
        }
        if let Some(end) = buffer[..seen].windows(4).position(|four| four == b"\r\n\r\n") {
            return Ok(Some(buffer[..end + 4].to_vec()));
        }
        thread::sleep(Duration::from_millis(1));
    }
}

pub(crate) fn header(head: &str, name: &str) -> Option<String> {
    let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}:")));
    Some(line?.split_once(':')?.1.trim().to_owned())
}

fn classify(head: &str) -> Asked {
    let mut words = head.split_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let has = |name: &str| {
        query.split('&').any(|pair| pair.split('=').next().is_some_and(|key| key == name))
    };
    let operation = match method {
        "GET" if has("list-type") => Operation::List,
        "GET" if !has("uploads") => Operation::Read,
        "PUT" if has("partNumber") => Operation::Part,
        "PUT" => Operation::Put,
        "POST" if has("uploads") => Operation::Begin,
        "POST" if has("uploadId") => Operation::Complete,
        _ => Operation::Other,
    };
    let signed = header(head, "authorization").unwrap_or_default();
    let key = signed.split_once("Credential=").and_then(|(_, rest)| rest.split_once('/'));
    let key = key.map_or("", |(key, _)| key).to_owned();
    // What is listed is in the query.
    let path = if operation == Operation::List { target } else { path };
    Asked { operation, path: path.to_owned(), key }
}

/// Head and body of an answer, as they came.
pub(crate) fn answer(server: &mut TcpStream, headless: bool) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let mut head = vec![];
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        server.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let status = text.split_whitespace().nth(1).unwrap_or_default();
    if headless || ["204", "304"].contains(&status) {
        return Ok((head, vec![]));
    }
    if let Some(length) = header(&text, "content-length").and_then(|n| n.parse().ok()) {
        let mut body = vec![0; length];
        server.read_exact(&mut body)?;
        return Ok((head, body));
    }
    let mut body = vec![];
    while !body.ends_with(b"0\r\n\r\n") {
        let mut byte = [0];
        server.read_exact(&mut byte)?;
        body.push(byte[0]);
    }
    Ok((head, body))
}
