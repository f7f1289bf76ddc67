//! The server's floor: the least that an axum + SQLite server with keyset pages, durable hash-chained approvals in group commits and
//! server-sent events costs.
//!
//! Contract: no authentication, no rules, no log format: everything the product does beyond this is its own cost.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, mpsc};

use axum::Router;
use axum::extract::{Query, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::{get, post};
use countersign::base::Digest;
use futures_util::Stream;
use rusqlite::{Connection, params};
use serde::Deserialize;
use tokio::sync::{broadcast, oneshot};

/// Commits that wait are put into one transaction, at most this many.
const GROUP: usize = 256;

struct Job {
    case: u64,
    done: oneshot::Sender<()>,
}

#[derive(Clone)]
struct Floor {
    writer: mpsc::SyncSender<Job>,
    readers: Arc<[Mutex<Connection>; 2]>,
    events: broadcast::Sender<String>,
    turn: Arc<std::sync::atomic::AtomicU64>,
    rows: u64,
}

fn open(path: &std::path::Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-65536; PRAGMA mmap_size=268435456;")?;
    Ok(connection)
}

fn fill(connection: &mut Connection, rows: u64) -> rusqlite::Result<()> {
    connection.execute_batch(
        "CREATE TABLE cases(id INTEGER PRIMARY KEY, state INT, risk INT, due INT, subject TEXT, action TEXT);
         CREATE TABLE entries(seq INTEGER PRIMARY KEY, body TEXT, hash BLOB);",
    )?;
    let transaction = connection.transaction()?;
    {
        let mut insert = transaction.prepare("INSERT INTO cases VALUES(?,?,?,?,?,?)")?;
        for i in 0..i64::try_from(rows).unwrap_or(i64::MAX) {
            insert.execute(params![
                i,
                i % 4,
                i * 31 % 100,
                i * 7919 % 1_000_003,
                format!("subject-{:06}", i * 7919 % 1_000_000),
                "password_reset"
            ])?;
        }
    }
    transaction.execute_batch("CREATE INDEX queue ON cases(state, due, id);")?;
    transaction.commit()
}

fn write(mut connection: Connection, jobs: &mpsc::Receiver<Job>) -> rusqlite::Result<()> {
    let mut last = Digest::of(b"");
    while let Ok(first) = jobs.recv() {
        let group: Vec<Job> = std::iter::once(first).chain(jobs.try_iter().take(GROUP - 1)).collect();
        let transaction = connection.transaction()?;
        for job in &group {
            let body = format!("{{\"approve\":{},\"after\":\"{last}\"}}", job.case);
            last = Digest::of(body.as_bytes());
            transaction.prepare_cached("UPDATE cases SET state = 2 WHERE id = ?")?.execute([i64::try_from(job.case).unwrap_or(0)])?;
            transaction.prepare_cached("INSERT INTO entries(body, hash) VALUES(?, ?)")?.execute(params![body, last.as_bytes()])?;
        }
        transaction.commit()?;
        for job in group {
            let _ = job.done.send(());
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct Page {
    after: Option<i64>,
}

async fn cases(State(floor): State<Floor>, Query(page): Query<Page>) -> String {
    let turn = floor.turn.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let after = page.after.unwrap_or_else(|| i64::try_from(turn * 7919 % 1_000_003).unwrap_or(0));
    let connection = floor.readers[usize::try_from(turn % 2).unwrap_or(0)].lock().expect("a reader never panics");
    let mut statement = connection
        .prepare_cached("SELECT id, state, risk, due, subject, action FROM cases WHERE state = 0 AND due >= ? ORDER BY due, id LIMIT 50")
        .expect("the table exists");
    let rows = statement
        .query_map([after], |r| {
            Ok(serde_json::json!({"id": r.get::<_, i64>(0)?, "state": r.get::<_, i64>(1)?, "risk": r.get::<_, i64>(2)?,
                "due": r.get::<_, i64>(3)?, "subject": r.get::<_, String>(4)?, "action": r.get::<_, String>(5)?}))
        })
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .expect("rows are readable");
    serde_json::Value::Array(rows).to_string()
}

async fn approve(State(floor): State<Floor>) -> &'static str {
    let turn = floor.turn.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let (done, wait) = oneshot::channel();
    floor.writer.send(Job { case: turn * 31 % floor.rows, done }).expect("the writer lives");
    wait.await.expect("the writer answers");
    "{}"
}

async fn events(State(floor): State<Floor>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let listener = floor.events.subscribe();
    let stream = futures_util::stream::unfold(listener, |mut listener| async {
        let text = listener.recv().await.ok()?;
        Some((Ok(Event::default().data(text)), listener))
    });
    Sse::new(stream).keep_alive(KeepAlive::default())
}

async fn emit(State(floor): State<Floor>) -> &'static str {
    let _ = floor.events.send("{\"case\":42,\"state\":\"approved\",\"risk\":\"high\"}".to_owned());
    "{}"
}

/// Serves until killed; prints its port.
pub fn run(path: &std::path::Path, rows: u64) -> Result<(), Box<dyn std::error::Error>> {
    let mut connection = open(path)?;
    fill(&mut connection, rows)?;
    let (writer, jobs) = mpsc::sync_channel(65_536);
    std::thread::spawn(move || write(connection, &jobs).expect("the floor can write"));
    let readers = Arc::new([Mutex::new(open(path)?), Mutex::new(open(path)?)]);
    let floor = Floor { writer, readers, events: broadcast::channel(4096).0, turn: Arc::default(), rows };
    let router = Router::new()
        .route("/cases", get(cases))
        .route("/approve", post(approve))
        .route("/events", get(events))
        .route("/emit", post(emit))
        .with_state(floor);
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?.port());
        axum::serve(listener, router).await?;
        Ok(())
    })
}
