//! A proxy in front of PostgreSQL that knows where in a conversation it is, and breaks it there.
//!
//! It reads what the client sends, message by message, and passes on what the server answers. It
//! needs connections without TLS.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// Where to break a conversation, and how.
#[derive(Debug, Clone)]
pub(crate) enum Break {
    /// Nowhere.
    Never,
    /// Call this after the message number `moment` of all conversations was passed on.
    After {
        /// Messages that the server answers, from 0.
        moment: usize,
    },
    /// Lose the answer to the first `COMMIT` of a transaction with a statement that holds this.
    Answer(&'static str),
    /// Lose that `COMMIT` itself.
    Commit(&'static str),
    /// As `Answer`, and let nobody in after that.
    AnswerForEver(&'static str),
    /// Pass nothing on any more after the first transaction that begins so, but stay connected.
    Silence(&'static str),
}

/// The proxy; it ends with this value.
pub(crate) struct Proxy {
    state: Arc<State>,
    port: u16,
}

struct State {
    server: String,
    fault: Break,
    /// What `After` does.
    act: Box<dyn Fn() + Send + Sync>,
    moments: AtomicUsize,
    broken: AtomicBool,
    closed: AtomicBool,
}

impl Proxy {
    /// Listens on a free port for `server`, an address such as `127.0.0.1:5432`.
    pub(crate) fn start(
        server: &str,
        fault: Break,
        act: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let state = Arc::new(State {
            server: server.to_owned(),
            fault,
            act: Box::new(act),
            moments: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
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

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// How many messages with an answer went through.
    pub(crate) fn moments(&self) -> usize {
        self.state.moments.load(Ordering::SeqCst)
    }

    /// Whether the conversation was broken.
    pub(crate) fn has_broken(&self) -> bool {
        self.state.broken.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.closed.store(true, Ordering::SeqCst);
        // Wakes the listener up.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

impl State {
    fn talk(&self, mut client: TcpStream) -> io::Result<()> {
        if let Break::AnswerForEver(_) = self.fault
            && self.broken.load(Ordering::SeqCst)
        {
            return Ok(());
        }
        let mut server = TcpStream::connect(&self.server)?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let silent = Arc::new(AtomicBool::new(false));
        let (mut from, mut to) = (server.try_clone()?, client.try_clone()?);
        let muted = Arc::clone(&silent);
        thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(read @ 1..) = from.read(&mut buffer) {
                if !muted.load(Ordering::SeqCst) && to.write_all(&buffer[..read]).is_err() {
                    break;
                }
            }
            drop(to.shutdown(Shutdown::Both));
        });
        let done = self.listen(&mut client, &mut server, &silent);
        drop(server.shutdown(Shutdown::Both));
        drop(client.shutdown(Shutdown::Both));
        done
    }

    fn listen(
        &self,
        client: &mut TcpStream,
        server: &mut TcpStream,
        silent: &AtomicBool,
    ) -> io::Result<()> {
        // The first message has no letter in front.
        server.write_all(&message(client, vec![])?)?;
        let mut transaction = String::new();
        loop {
            let mut letter = [0];
            client.read_exact(&mut letter)?;
            let message = message(client, letter.to_vec())?;
            let text = String::from_utf8_lossy(&message[5..]);
            if letter == *b"Q" && (text.starts_with("BEGIN") || text.starts_with("START")) {
                transaction.clear();
            }
            transaction.push_str(&text);
            let commits = letter == *b"Q" && text.starts_with("COMMIT");
            let here = |part: &str| {
                let found = commits && transaction.contains(part);
                found && !self.broken.swap(true, Ordering::SeqCst)
            };
            match self.fault {
                Break::Commit(part) if here(part) => return Ok(()),
                Break::Answer(part) | Break::AnswerForEver(part) if here(part) => {
                    silent.store(true, Ordering::SeqCst);
                    server.write_all(&message)?;
                    // The server ends the conversation when it has done everything before.
                    server.write_all(b"X\0\0\0\x04")?;
                    return wait_for_end(server);
                }
                Break::Silence(part)
                    if transaction.starts_with(part)
                        && !self.broken.swap(true, Ordering::SeqCst) =>
                {
                    silent.store(true, Ordering::SeqCst);
                }
                _ => {}
            }
            if silent.load(Ordering::SeqCst) {
                continue;
            }
            server.write_all(&message)?;
            if letter == *b"Q" || letter == *b"S" {
                let now = self.moments.fetch_add(1, Ordering::SeqCst);
                if let Break::After { moment } = self.fault
                    && now == moment
                {
                    self.broken.store(true, Ordering::SeqCst);
                    (self.act)();
                }
            }
        }
    }
}

/// Reads the rest of a message: its length, which counts itself, and its content.
fn message(from: &mut TcpStream, mut message: Vec<u8>) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    message.extend(length);
    let mut content = vec![0; (u32::from_be_bytes(length) as usize).saturating_sub(4)];
    from.read_exact(&mut content)?;
    message.extend(content);
    Ok(message)
}

/// The other thread reads the answers; the connection ends after the last one.
fn wait_for_end(server: &TcpStream) -> io::Result<()> {
    let mut byte = [0];
    while server.peek(&mut byte)? > 0 {
        thread::yield_now();
    }
    Ok(())
}
